using System.Net.Http.Headers;
using System.Text;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

public sealed class TranscriptEndpointsTests(TestCluster cluster)
{
    private const string Path = "/v1/capture/transcripts";

    private const string Call = "[00:00:01] Mira: Good morning.\n[00:00:04] Ada: Yes.\nAda: I can.\n";

    [Fact]
    public async Task A_transcript_becomes_its_callers_conversation_and_again_nothing_new()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        using var client = api.As(user);

        var imported = (await client.PostAsync($"{Path}?started_at=2026-05-01T12:00:00Z&name=Call&assistant=Mira,Bob&language=en", File(Call, "text/plain; charset=utf-8"))).ShouldBe(200);

        imported["format"].GetString().ShouldBe("text");
        imported["is_new"].GetBoolean().ShouldBeTrue();
        imported["turn_count"].GetInt32().ShouldBe(3);
        imported["assistant_turns"].GetInt32().ShouldBe(1);
        imported["speakers"].EnumerateArray().Select(name => name.GetString()).ShouldBe(["Mira", "Ada"]);
        imported.Body.TryGetProperty("file", out _).ShouldBeFalse();
        var record = (await client.GetAsync($"/v1/conversations/{imported["conversation_id"].GetGuid()}")).ShouldBe(200);
        record["conversation"].GetProperty("user_id").GetGuid().ShouldBe(user.UserId!.Value);
        record["conversation"].GetProperty("kind").GetString().ShouldBe("transcript");
        record["turns"][0].GetProperty("role").GetString().ShouldBe("assistant");
        record["turns"][0].GetProperty("started_at").GetDateTimeOffset().ShouldBe(new DateTimeOffset(2026, 5, 1, 12, 0, 1, TimeSpan.Zero));
        var again = (await client.PostAsync(Path, File(Call, "text/plain"))).ShouldBe(200);
        again["new_turns"].GetInt32().ShouldBe(0);
        again["conversation_id"].GetGuid().ShouldBe(imported["conversation_id"].GetGuid());
    }

    [Fact]
    public async Task Faults_name_their_line_and_the_format_may_be_given()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var imported = (await client.PostAsync($"{Path}?format=jsonl", File("{\"text\":\"one\"}\nbroken\n{\"text\":\"two\"}", "application/json"))).ShouldBe(200);
        imported["turn_count"].GetInt32().ShouldBe(2);
        imported["skipped_count"].GetInt32().ShouldBe(1);
        imported["faults"][0].GetProperty("line").GetInt32().ShouldBe(2);
        imported["faults"][0].GetProperty("skipped").GetBoolean().ShouldBeTrue();
    }

    [Fact]
    public async Task A_transcript_longer_than_other_bodies_may_be_is_streamed()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var said = new string('a', 64 * 1024);
        var text = string.Concat(Enumerable.Range(0, 200).Select(i => $"Ada: {i} {said}\n"));
        var imported = (await client.PostAsync(Path, File(text, "text/plain"))).ShouldBe(200);
        imported["new_turns"].GetInt32().ShouldBe(200);
        imported["faults"].GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task Bad_files_and_bad_wishes_are_refused_and_change_nothing()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var stranger = await api.Database.NewUserAsync();

        (await client.PostAsync(Path, File("", "text/vtt"))).ShouldFail(400, "transcript_empty");
        (await client.PostAsync(Path, File("no transcript", "text/vtt"))).ShouldFail(400, "transcript_format_unknown");
        (await client.PostAsync(Path, File("WEBVTT\n\nno times\n", "text/vtt"))).ShouldFail(400, "transcript_unusable")["details"].GetString().ShouldNotBeNull().ShouldContain("line 3");
        (await client.PostAsync(Path, File(Call, "multipart/form-data"))).ShouldFail(415, "content_type_unsupported");
        (await client.PostAsync(Path, File(Call, "text/plain; charset=latin1"))).ShouldFail(415, "content_type_unsupported");
        (await client.PostAsync($"{Path}?format=docx", File(Call, "text/plain"))).ShouldFail(400, "query_invalid");
        (await client.PostAsync($"{Path}?speaker=x", File(Call, "text/plain"))).ShouldFail(400, "query_invalid");
        (await client.PostAsync($"{Path}?name=%00", File(Call, "text/plain"))).ShouldFail(400, "input_invalid");
        (await client.PostAsync($"{Path}?started_at=0001-01-01T00:00:00Z", File(Call, "text/plain"))).ShouldFail(400, "input_invalid");
        (await client.PostAsync($"{Path}?user_id={stranger.UserId}", File(Call, "text/plain"))).ShouldFail(403, "capture_refused");
        using var nobody = api.As(null);
        (await nobody.PostAsync(Path, File(Call, "text/plain"))).ShouldFail(401, "token_missing");
        using var anonymous = api.As(Caller.Anonymous);
        (await anonymous.PostAsync(Path, File(Call, "text/plain"))).ShouldFail(401, "sign_in_required");
        (await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(0L);
    }

    [Fact]
    public async Task A_strangers_import_of_the_same_file_is_a_conversation_of_its_own()
    {
        await using var api = await Api.StartAsync(cluster);
        using var owner = api.As(await api.Database.NewUserAsync());
        using var stranger = api.As(await api.Database.NewUserAsync());
        var id = (await owner.PostAsync(Path, File(Call, "text/plain"))).ShouldBe(200)["conversation_id"].GetGuid();
        (await stranger.PostAsync(Path, File(Call, "text/plain"))).ShouldBe(200)["conversation_id"].GetGuid().ShouldNotBe(id);
        (await stranger.GetAsync($"/v1/conversations/{id}")).ShouldFail(404, "conversation_not_found");
    }

    private static StringContent File(string text, string type) => new(text, Encoding.UTF8) { Headers = { ContentType = MediaTypeHeaderValue.Parse(type) } };
}
