using System.Net;
using System.Text.Json;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.DataApi;

public sealed class DataApiTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_new_table_is_served_after_a_notification()
    {
        await using var api = await Workshop.OpenAsync(cluster);
        using var http = new HttpClient { BaseAddress = api.Url };
        (await http.GetAsync("/rest/v1/later", Cancel)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await Workshop.ExecuteAsync(cluster, api, "create table public.later (id int); insert into public.later values (1); grant select on public.later to anon");
        // Said again and again, for the first may have been said before somebody listened.
        string body;
        do
        {
            await Workshop.ExecuteAsync(cluster, api, "notify pgrst, 'reload schema'");
            body = await http.GetStringOrEmptyAsync("/rest/v1/later", Cancel);
        }
        while (body.Length == 0);
        body.ShouldBe("""[{"id":1}]""");
    }

    [Fact]
    public async Task A_long_answer_comes_whole()
    {
        await using var api = await Workshop.OpenAsync(
            cluster, "create table public.wide (id int, text text); insert into public.wide select i, repeat('é', 10000) from generate_series(1, 500) i; grant select on public.wide to anon;");
        using var http = new HttpClient { BaseAddress = api.Url };
        var answer = await http.GetAsync("/rest/v1/wide", HttpCompletionOption.ResponseHeadersRead, Cancel);
        answer.Content.Headers.ContentLength!.Value.ShouldBeGreaterThan(10_000_000);
        using var rows = await JsonDocument.ParseAsync(await answer.Content.ReadAsStreamAsync(Cancel), cancellationToken: Cancel);
        rows.RootElement.GetArrayLength().ShouldBe(500);
    }

    [Fact]
    public async Task A_function_may_refuse_requests_before_they_run()
    {
        await using var api = await Workshop.OpenAsync(
            cluster,
            """
            create function public.only_get() returns void language plpgsql as $$ begin
              if current_setting('request.method') <> 'GET' then raise sqlstate 'PT405' using message = 'only GET'; end if; end $$;
            alter role authenticator in database {database} set pgrst.db_pre_request = 'public.only_get';
            """);
        using var http = new HttpClient { BaseAddress = api.Url };
        (await http.GetAsync("/rest/v1/riders?limit=1", Cancel)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await http.PostAsync("/rest/v1/rpc/names", null, Cancel)).StatusCode.ShouldBe(HttpStatusCode.MethodNotAllowed);
    }

    [Fact]
    public async Task Where_it_is_switched_off_nothing_answers()
    {
        await using var api = await Api.StartAsync(cluster, options => options.DataApi.Enabled = false);
        using var http = new HttpClient { BaseAddress = api.Url };
        (await http.GetAsync("/rest/v1/conversations", Cancel)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }
}

file static class HttpClientExtensions
{
    public static async Task<string> GetStringOrEmptyAsync(this HttpClient http, string path, CancellationToken cancellationToken)
    {
        using var answer = await http.GetAsync(path, cancellationToken);
        return answer.IsSuccessStatusCode ? await answer.Content.ReadAsStringAsync(cancellationToken) : "";
    }
}
