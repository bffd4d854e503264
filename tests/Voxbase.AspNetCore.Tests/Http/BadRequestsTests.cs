using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

public sealed class BadRequestsTests(TestCluster cluster)
{
    [Theory]
    [InlineData("{\"role\":\"user\"", "body_invalid", "line 1, byte 15")]
    [InlineData("{\n\"role\": user}", "body_invalid", "line 2, byte 9")]
    [InlineData("", "body_invalid", "empty")]
    [InlineData("{\"role\":\"user\",}", "body_invalid", "line 1")]
    [InlineData("{\"role\":\"user\"} // no", "body_invalid", "line 1")]
    [InlineData("{\"role\":\"user\"}{}", "body_invalid", "line 1")]
    [InlineData("{\"role\":\"user\",\"input_tokens\":NaN}", "body_invalid", "line 1")]
    [InlineData("{\"role\":\"user\",\"role\":\"user\"}", "body_invalid", "twice")]
    [InlineData("{\"role\":\"user\",\"metadata\":{\"a\":1,\"a\":2}}", "body_invalid", "twice")]
    [InlineData("null", "input_invalid", "$ must be an object")]
    [InlineData("42", "input_invalid", "$ must be an object")]
    [InlineData("[null]", "input_invalid", "$[0] must be")]
    [InlineData("[{\"role\":\"user\"},7]", "input_invalid", "$[1] must be an object (was 7)")]
    [InlineData("[[{\"role\":\"user\"}]]", "input_invalid", "$[0] must be an object (was an array)")]
    [InlineData("{}", "input_invalid", "$.role is missing; it must be one of user, assistant, system, tool")]
    [InlineData("{\"role\":null}", "input_invalid", "$.role must be one of user")]
    [InlineData("{\"role\":\"robot\"}", "input_invalid", "$.role must be one of user, assistant, system, tool")]
    [InlineData("{\"role\":\"User\"}", "input_invalid", "$.role must be one of")]
    [InlineData("{\"role\":0}", "input_invalid", "$.role must be one of")]
    [InlineData("{\"role\":\"user,tool\"}", "input_invalid", "$.role must be one of")]
    [InlineData("{\"role\":\"user\",\"confidence\":\"high\"}", "input_invalid", "$.confidence must be one of LOW, MEDIUM, HIGH")]
    [InlineData("{\"role\":\"user\",\"rawtext\":\"x\"}", "field_unknown", "'rawtext'")]
    [InlineData("{\"role\":\"user\",\"RawText\":\"x\"}", "field_unknown", "'RawText'")]
    [InlineData("{\"role\":\"user\",\"sequence_number\":7}", "field_unknown", "'sequence_number'")]
    [InlineData("{\"role\":\"user\",\"cost_usd\":\"0\"}", "field_unknown", "'cost_usd'")]
    [InlineData("[{\"role\":\"user\"},{\"role\":\"user\",\"x\":1}]", "field_unknown", "$[1]")]
    [InlineData("{\"role\":\"user\",\"raw_text\":5}", "input_invalid", "$.raw_text must be a text")]
    [InlineData("{\"role\":\"user\",\"input_tokens\":\"5\"}", "input_invalid", "$.input_tokens must be a whole number")]
    [InlineData("{\"role\":\"user\",\"input_tokens\":5.5}", "input_invalid", "$.input_tokens must be a whole number")]
    [InlineData("{\"role\":\"user\",\"input_tokens\":2147483648}", "input_invalid", "$.input_tokens must be a whole number")]
    [InlineData("{\"role\":\"user\",\"input_tokens\":-1}", "input_invalid", "input_tokens must not be negative (was -1)")]
    [InlineData("{\"role\":\"user\",\"end_to_end_ms\":-1}", "input_invalid", "end_to_end_ms must not be negative (was -1)")]
    [InlineData("{\"role\":\"user\",\"interrupted\":1}", "input_invalid", "$.interrupted must be true or false")]
    [InlineData("{\"role\":\"user\",\"interrupted\":null}", "input_invalid", "$.interrupted must be true or false")]
    [InlineData("{\"role\":\"user\",\"id\":\"42\"}", "input_invalid", "$.id must be a UUID")]
    [InlineData("{\"role\":\"user\",\"id\":\"{01890a5d-ac96-774b-bcce-b302099a8057}\"}", "input_invalid", "$.id must be a UUID")]
    [InlineData("{\"role\":\"user\",\"started_at\":\"yesterday\"}", "input_invalid", "$.started_at must be a time with its offset")]
    [InlineData("{\"role\":\"user\",\"started_at\":\"2026-05-01T12:00:00\"}", "input_invalid", "$.started_at must be a time with its offset")]
    [InlineData("{\"role\":\"user\",\"started_at\":\"2026-05-01\"}", "input_invalid", "$.started_at must be a time with its offset")]
    [InlineData("{\"role\":\"user\",\"started_at\":1714564800}", "input_invalid", "$.started_at must be a time with its offset")]
    [InlineData("{\"role\":\"user\",\"started_at\":\"2026-05-01T12:00:00Z\",\"ended_at\":\"2026-05-01T11:00:00Z\"}", "input_invalid", "ended_at is before started_at")]
    [InlineData("{\"role\":\"user\",\"metadata\":[]}", "input_invalid", "metadata must be an object")]
    [InlineData("{\"role\":\"user\",\"corrections\":{}}", "input_invalid", "corrections must be an array")]
    [InlineData("{\"role\":\"user\",\"raw_text\":\"a\\u0000b\"}", "value_invalid", "'raw_text' holds the character U+0000")]
    [InlineData("{\"role\":\"user\",\"metadata\":{\"k\":\"\\u0000\"}}", "value_invalid", "'k' holds the character U+0000")]
    [InlineData("{\"role\":\"user\",\"metadata\":{\"a\\u0000\":1}}", "value_invalid", "U+0000")]
    [InlineData("{\"role\":\"user\",\"raw_text\":\"\\ud800\"}", "input_invalid", "$.raw_text must be a text of whole Unicode characters")]
    [InlineData("{\"role\":\"user\",\"metadata\":{\"k\":\"\\udc00\"}}", "value_invalid", "")]
    [InlineData("{\"role\":\"user\",\"metadata\":{\"k\":1e999999}}", "value_invalid", "")]
    public async Task A_bad_turn_is_refused_with_its_reason_and_nothing_is_kept(string body, string code, string reason)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var path = $"/v1/conversations/{await client.StartAsync()}";
        var before = (await client.GetAsync(path)).Body.ToString();
        (await client.PostAsync($"{path}/turns", body)).ShouldFail(400, code).Message.ShouldContain(reason);
        (await client.GetAsync(path)).Body.ToString().ShouldBe(before);
        api.Logs.From(LogLevel.Warning).ShouldBeEmpty();
    }

    [Fact]
    public async Task One_bad_turn_among_good_ones_keeps_none()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var path = $"/v1/conversations/{await client.StartAsync()}/turns";
        var answer = await client.PostAsync(path, """[{"role":"user"},{"role":"user","cached_tokens":-3},{"role":"user"}]""");
        answer.ShouldFail(400, "input_invalid").Message.ShouldContain("turn 2 of 3");
        (await client.GetAsync(path))["data"].GetArrayLength().ShouldBe(0);
    }

    [Theory]
    [InlineData("POST", "", """{"kind":"chat"}""", "input_invalid")]
    [InlineData("POST", "", """{"kind":null}""", "input_invalid")]
    [InlineData("POST", "", """{"status":"completed"}""", "input_invalid")]
    [InlineData("POST", "", """{"session_id":""}""", "input_invalid")]
    [InlineData("POST", "", """{"metadata":"x"}""", "input_invalid")]
    [InlineData("POST", "", """{"metdata":{}}""", "field_unknown")]
    [InlineData("POST", "", """{"turn_count":5}""", "field_unknown")]
    [InlineData("POST", "", """{"name":"\u0000"}""", "value_invalid")]
    [InlineData("POST", "/{id}/participants", "{}", "input_invalid")]
    [InlineData("POST", "/{id}/participants", """{"identity":null}""", "input_invalid")]
    [InlineData("POST", "/{id}/participants", """{"identity":""}""", "input_invalid")]
    [InlineData("POST", "/{id}/participants", """{"identity":"a","type":"robot"}""", "input_invalid")]
    [InlineData("POST", "/{id}/participants", """{"identity":"a","attributes":[]}""", "input_invalid")]
    [InlineData("POST", "/{id}/function-calls", """{"call_id":"c"}""", "input_invalid")]
    [InlineData("POST", "/{id}/function-calls", """{"call_id":"","name":"f"}""", "input_invalid")]
    [InlineData("POST", "/{id}/function-calls/c/finish", """{"status":"done"}""", "input_invalid")]
    [InlineData("POST", "/{id}/function-calls/c/finish", """{"execution_ms":-1}""", "input_invalid")]
    [InlineData("PUT", "/{id}/state", "{}", "input_invalid")]
    [InlineData("PUT", "/{id}/state", """{"state":"sleeping"}""", "input_invalid")]
    [InlineData("PUT", "/{id}/state", "", "body_invalid")]
    [InlineData("POST", "/{id}/end", """{"status":"active"}""", "input_invalid")]
    [InlineData("POST", "/{id}/end", """{"why":"x"}""", "field_unknown")]
    [InlineData("POST", "/{id}/end", "[]", "input_invalid")]
    [InlineData("POST", "/{id}/activate", """{"connected_at":"now"}""", "input_invalid")]
    [InlineData("POST", "/{id}/participants/leave", """{"identity":7}""", "input_invalid")]
    public async Task A_bad_body_elsewhere_changes_nothing_either(string method, string path, string body, string code)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var id = await client.StartAsync();
        var before = await StateAsync(client, id);
        (await client.SendAsync(new HttpMethod(method), "/v1/conversations" + path.Replace("{id}", id.ToString(), StringComparison.Ordinal), body)).ShouldFail(400, code);
        (await StateAsync(client, id)).ShouldBe(before);
    }

    [Fact]
    public async Task What_does_not_follow_from_the_present_is_a_conflict()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var id = await client.StartAsync();
        var before = await StateAsync(client, id);
        (await client.PutAsync($"/v1/conversations/{id}/state", """{"state":"speaking"}""")).ShouldFail(409, "state_move_refused");
        (await StateAsync(client, id)).ShouldBe(before);
    }

    [Theory]
    [InlineData("/v1/conversations/42")]
    [InlineData("/v1/conversations/42/turns")]
    [InlineData("/v1/conversations/42/context")]
    [InlineData("/v1/conversations/01890a5dac96774bbcceb302099a8057")]
    [InlineData("/v1/conversations/%7B01890a5d-ac96-774b-bcce-b302099a8057%7D")]
    [InlineData("/v1/conversations/01890a5d-ac96-774b-bcce-b302099a8057%00")]
    public async Task An_id_that_is_none_is_told_apart_from_one_that_is_not_there(string path)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var answer = await client.GetAsync(path);
        // Kestrel itself refuses a path with %00, before anybody sees it.
        if (path.EndsWith("%00", StringComparison.Ordinal))
            answer.Status.ShouldBe(400);
        else
            answer.ShouldFail(400, "id_invalid");
        (await client.GetAsync($"/v1/conversations/{Guid.CreateVersion7()}")).ShouldFail(404, "conversation_not_found");
    }

    [Theory]
    [InlineData("/v1/conversations?limit=0", "input_invalid")]
    [InlineData("/v1/conversations?limit=-1", "input_invalid")]
    [InlineData("/v1/conversations?limit=ten", "query_invalid")]
    [InlineData("/v1/conversations?limit=1.0", "query_invalid")]
    [InlineData("/v1/conversations?limit=99999999999", "query_invalid")]
    [InlineData("/v1/conversations?limit=", "query_invalid")]
    [InlineData("/v1/conversations?limit=1&limit=2", "query_invalid")]
    [InlineData("/v1/conversations?page=2", "query_invalid")]
    [InlineData("/v1/conversations?LIMIT=2&Limit=3", "query_invalid")]
    [InlineData("/v1/conversations?status=done", "query_invalid")]
    [InlineData("/v1/conversations?status=1", "query_invalid")]
    [InlineData("/v1/conversations?kind=Call", "query_invalid")]
    [InlineData("/v1/conversations?before=x", "query_invalid")]
    [InlineData("/v1/conversations?user_id=me", "query_invalid")]
    [InlineData("/v1/conversations?all=yes", "query_invalid")]
    [InlineData("/v1/conversations?all=true&user_id=01890a5d-ac96-774b-bcce-b302099a8057", "query_invalid")]
    [InlineData("/v1/conversations/{id}?full=1", "query_invalid")]
    [InlineData("/v1/conversations/{id}/turns?after=-1", "input_invalid")]
    [InlineData("/v1/conversations/{id}/turns?after=x", "query_invalid")]
    [InlineData("/v1/conversations/{id}/context?max_turns=0", "input_invalid")]
    [InlineData("/v1/conversations/{id}/context?max_tokens=0", "input_invalid")]
    [InlineData("/v1/conversations/{id}/context?tokens=5", "query_invalid")]
    [InlineData("/v1/prices?x=1", "query_invalid")]
    public async Task A_bad_query_is_told(string path, string code)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        (await client.GetAsync(path.Replace("{id}", (await client.StartAsync()).ToString(), StringComparison.Ordinal))).ShouldFail(400, code);
    }

    [Fact]
    public async Task Bytes_that_are_no_text_are_refused_wherever_they_are()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var path = $"/v1/conversations/{await client.StartAsync()}/turns";
        foreach (var around in new[] { "{\"role\":\"user\",\"raw_text\":\"#\"}", "{\"role\":\"user\",\"metadata\":{\"k\":\"#\"}}", "{\"role\":\"user\",\"#\":1}" })
        {
            var bytes = Encoding.UTF8.GetBytes(around);
            bytes[Array.IndexOf(bytes, (byte)'#')] = 0xFF;
            var content = new ByteArrayContent(bytes);
            content.Headers.ContentType = new("application/json");
            (await client.PostAsync(path, content)).ShouldFail(400, "body_invalid").Message.ShouldContain("UTF-8");
        }

        (await client.GetAsync(path))["data"].GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task An_escaped_backslash_before_u0000_is_ordinary_text()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var path = $"/v1/conversations/{await client.StartAsync()}/turns";
        (await client.PostAsync(path, """{"role":"user","raw_text":"\\u0000"}""")).ShouldBe(201);
        (await client.GetAsync(path))["data"][0].GetProperty("raw_text").GetString().ShouldBe("\\u0000");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/jsonx")]
    [InlineData("application/json; charset=utf-16")]
    [InlineData("multipart/form-data; boundary=x")]
    public async Task Another_content_type_is_unsupported(string? type)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var path = $"/v1/conversations/{await client.StartAsync()}/turns";
        var content = new ByteArrayContent("""{"role":"user"}"""u8.ToArray());
        if (type is not null)
            content.Headers.TryAddWithoutValidation("Content-Type", type);
        (await client.PostAsync(path, content)).ShouldFail(415, "content_type_unsupported");
        (await client.GetAsync(path))["data"].GetArrayLength().ShouldBe(0);
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/json;charset=UTF-8")]
    [InlineData("Application/JSON; charset=\"utf-8\"")]
    [InlineData("application/vnd.voxbase+json")]
    public async Task Json_by_its_other_names_is_read(string type)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var content = new ByteArrayContent("""{"role":"user"}"""u8.ToArray());
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        (await client.PostAsync($"/v1/conversations/{await client.StartAsync()}/turns", content)).ShouldBe(201);
    }

    [Fact]
    public async Task A_compressed_body_is_unsupported()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var content = new ByteArrayContent([0x1f, 0x8b]);
        content.Headers.ContentType = new("application/json");
        content.Headers.ContentEncoding.Add("gzip");
        (await client.PostAsync("/v1/conversations", content)).ShouldFail(415, "content_type_unsupported");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_of_ten_megabytes_is_read_and_a_larger_one_refused(bool chunked)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var path = $"/v1/conversations/{await client.StartAsync()}/turns";
        (await client.PostAsync(path, Body(VoxbaseEndpoints.MaxBodyBytes, chunked))).ShouldBe(201);
        (await client.PostAsync(path, Body(VoxbaseEndpoints.MaxBodyBytes + 1, chunked))).ShouldFail(413, "body_too_large");
        (await client.GetAsync($"{path}?limit=5"))["data"].GetArrayLength().ShouldBe(1);

        static HttpContent Body(int length, bool chunked)
        {
            var bytes = new byte[length];
            Array.Fill(bytes, (byte)'a');
            "{\"role\":\"user\",\"raw_text\":\""u8.CopyTo(bytes);
            "\"}"u8.CopyTo(bytes.AsSpan(length - 2));
            var content = chunked ? (HttpContent)new StreamContent(new Unknown(bytes)) : new ByteArrayContent(bytes);
            content.Headers.ContentType = new("application/json");
            return content;
        }
    }

    [Fact]
    public async Task A_client_that_goes_away_leaves_no_trace()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        using var client = api.As(user);
        var id = await client.StartAsync();
        for (var i = 0; i < 5; i++)
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(api.Url.Host, api.Url.Port, TestContext.Current.CancellationToken);
            var request = $"POST /v1/conversations/{id}/turns HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.Tokens.Mint(user.Role, user.UserId)}\r\n"
                + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"role\":";
            await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request), TestContext.Current.CancellationToken);
            socket.Client.LingerState = new LingerOption(true, i % 2);
        }

        (await client.GetAsync($"/v1/conversations/{id}/turns"))["data"].GetArrayLength().ShouldBe(0);
        await api.StopAsync();
        api.Logs.From(LogLevel.Warning).ShouldBeEmpty();
    }

    private static async Task<string> StateAsync(Client client, Guid id) =>
        (await client.GetAsync($"/v1/conversations/{id}")).Body.ToString() + (await client.GetAsync("/v1/conversations")).Body;

    /// <summary>A stream that does not tell its length, so that it is sent in chunks.</summary>
    private sealed class Unknown(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
