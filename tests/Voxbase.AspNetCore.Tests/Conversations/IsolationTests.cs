using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

public sealed class IsolationTests(TestCluster cluster)
{
    private static readonly (string Method, string Path, string? Body)[] Writes =
    [
        ("POST", "/turns", """{"role":"user","raw_text":"mine"}"""),
        ("POST", "/turns", "[]"),
        ("POST", "/participants", """{"identity":"mallory"}"""),
        ("POST", "/function-calls", """{"call_id":"new","name":"f"}"""),
        ("PUT", "/state", """{"state":"listening"}"""),
        ("POST", "/activate", null),
        ("POST", "/end", """{"reason":"theirs"}"""),
    ];

    [Fact]
    public async Task A_stranger_cannot_see_or_change_anything_nor_learn_that_it_exists()
    {
        await using var api = await Api.StartAsync(cluster);
        var (id, before) = await RecordAsync(api, await api.Database.NewUserAsync());
        using var stranger = api.As(await api.Database.NewUserAsync());
        foreach (var conversation in new[] { id, Guid.CreateVersion7() })
        {
            var path = $"/v1/conversations/{conversation}";
            foreach (var read in new[] { "", "/turns", "/context" })
                (await stranger.GetAsync(path + read)).ShouldFail(404, "conversation_not_found");
            foreach (var (method, below, body) in Writes)
                (await stranger.SendAsync(new HttpMethod(method), path + below, body)).ShouldFail(404, "conversation_not_found");
            (await stranger.PostAsync($"{path}/participants/leave", """{"identity":"ada"}""")).ShouldFail(404, "participant_not_found");
            (await stranger.PostAsync($"{path}/function-calls/c1/finish")).ShouldFail(404, "function_call_not_found");
        }

        (await stranger.GetAsync("/v1/conversations?all=true"))["data"].GetArrayLength().ShouldBe(0);
        (await stranger.GetAsync($"/v1/conversations?user_id={before.Owner}"))["data"].GetArrayLength().ShouldBe(0);
        (await stranger.PostAsync("/v1/conversations", """{"session_id":"isolation"}""")).ShouldFail(409, "session_taken");
        (await stranger.PostAsync("/v1/conversations", $$"""{"id":"{{id}}"}""")).ShouldFail(409, "session_taken");
        (await stranger.PostAsync("/v1/conversations", $$"""{"user_id":"{{before.Owner}}"}""")).ShouldFail(403, "forbidden");
        (await SnapshotAsync(api, id)).ShouldBe(before.Text);
    }

    [Fact]
    public async Task A_participant_reads_and_cannot_change()
    {
        await using var api = await Api.StartAsync(cluster);
        var guest = await api.Database.NewUserAsync();
        var (id, before) = await RecordAsync(api, await api.Database.NewUserAsync(), guest.UserId);
        using var client = api.As(guest);
        var record = (await client.GetAsync($"/v1/conversations/{id}")).ShouldBe(200);
        record["turns"].GetArrayLength().ShouldBe(1);
        (record["charges"].GetArrayLength(), record["usage_events"].GetArrayLength()).ShouldBe((0, 0));
        (await client.GetAsync("/v1/conversations"))["data"].GetArrayLength().ShouldBe(0, "by default its own");
        (await client.GetAsync("/v1/conversations?all=true"))["data"].GetArrayLength().ShouldBe(1);
        foreach (var (method, below, body) in Writes.Where(write => write.Body != "[]"))
        {
            var answer = await client.SendAsync(new HttpMethod(method), $"/v1/conversations/{id}{below}", body);
            answer.ShouldFail(404, "conversation_not_found");
        }

        (await SnapshotAsync(api, id)).ShouldBe(before.Text);
    }

    [Fact]
    public async Task An_admin_sees_all_and_lists_its_own_unless_asked()
    {
        await using var api = await Api.StartAsync(cluster);
        var (id, before) = await RecordAsync(api, await api.Database.NewUserAsync());
        using var admin = api.As(await api.Database.NewUserAsync(isAdmin: true));
        (await admin.GetAsync($"/v1/conversations/{id}")).ShouldBe(200);
        (await admin.GetAsync("/v1/conversations"))["data"].GetArrayLength().ShouldBe(0);
        (await admin.GetAsync("/v1/conversations?all=true"))["data"].GetArrayLength().ShouldBe(1);
        (await admin.GetAsync($"/v1/conversations?user_id={before.Owner}"))["data"].GetArrayLength().ShouldBe(1);
        (await admin.PostAsync($"/v1/conversations/{id}/turns", """{"role":"system","raw_text":"note"}""")).ShouldBe(201);
    }

    [Fact]
    public async Task The_service_sees_and_writes_everything()
    {
        await using var api = await Api.StartAsync(cluster);
        var owner = await api.Database.NewUserAsync();
        var (id, _) = await RecordAsync(api, owner);
        using var service = api.As(Caller.Service);
        (await service.GetAsync("/v1/conversations"))["data"].GetArrayLength().ShouldBe(1);
        (await service.GetAsync($"/v1/conversations/{id}")).ShouldBe(200);
        (await service.PostAsync($"/v1/conversations/{id}/turns", """{"role":"system"}""")).ShouldBe(201);
        (await service.PostAsync("/v1/conversations", $$"""{"user_id":"{{owner.UserId}}"}""")).ShouldBe(201)["user_id"].GetGuid().ShouldBe(owner.UserId!.Value);
        (await service.PostAsync("/v1/conversations", $$"""{"user_id":"{{Guid.CreateVersion7()}}"}""")).ShouldFail(404, "user_not_found");
    }

    [Fact]
    public async Task The_anonymous_key_sees_nothing_and_changes_nothing()
    {
        await using var api = await Api.StartAsync(cluster);
        var (id, before) = await RecordAsync(api, await api.Database.NewUserAsync());
        using var anon = api.As(Caller.Anonymous);
        foreach (var read in new[] { "/v1/conversations", "/v1/conversations?all=true", $"/v1/conversations/{id}", $"/v1/conversations/{id}/turns", "/v1/prices", "/v1/prices/check", "/v1/usage" })
            (await anon.GetAsync(read)).ShouldFail(401, "sign_in_required").Response.Headers.WwwAuthenticate.Single().Scheme.ShouldBe("Bearer");
        foreach (var (method, below, body) in Writes)
            (await anon.SendAsync(new HttpMethod(method), $"/v1/conversations/{id}{below}", body)).ShouldFail(401, "sign_in_required");
        (await anon.PostAsync("/v1/conversations", "{}")).ShouldFail(401, "sign_in_required");
        (await SnapshotAsync(api, id)).ShouldBe(before.Text);
    }

    private static async Task<(Guid Id, (string Text, Guid Owner) Before)> RecordAsync(Api api, Caller owner, Guid? guest = null)
    {
        using var client = api.As(owner);
        var id = await client.StartAsync("""{"session_id":"isolation"}""");
        await client.PostAsync($"/v1/conversations/{id}/turns", """{"role":"user","raw_text":"secret"}""");
        await client.PostAsync($"/v1/conversations/{id}/participants", guest is null ? """{"identity":"ada"}""" : $$"""{"identity":"ada","user_id":"{{guest}}"}""");
        await client.PostAsync($"/v1/conversations/{id}/function-calls", """{"call_id":"c1","name":"f"}""");
        return (id, (await SnapshotAsync(api, id), owner.UserId!.Value));
    }

    private static async Task<string> SnapshotAsync(Api api, Guid id)
    {
        using var service = api.As(Caller.Service);
        return (await service.GetAsync($"/v1/conversations/{id}")).ShouldBe(200).Body.ToString() + (await service.GetAsync("/v1/conversations")).Body;
    }
}
