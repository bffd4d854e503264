using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.Spending;

public sealed class SpendingEndpointsTests(TestCluster cluster)
{
    private const string One = """{"provider":"acme","model":"voice-*","meter":"tts.characters","unit_price_usd":"15.5","per":1000000,"valid_from":"2026-05-01T00:00:00Z","note":"contract"}""";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_admin_sets_one_price_or_many_and_others_none()
    {
        await using var api = await Api.StartAsync(cluster);
        using var user = api.As(await api.Database.NewUserAsync());
        using var admin = api.As(await api.Database.NewUserAsync(isAdmin: true));
        (await user.PutAsync("/v1/prices", One)).ShouldFail(403, "forbidden");
        (await admin.PutAsync("/v1/prices?dry_run=true", One)).ShouldBe(200)["added"].GetInt32().ShouldBe(1);
        (await OursAsync(user)).ShouldBe(0);
        (await admin.PutAsync("/v1/prices", One)).ShouldBe(200)["added"].GetInt32().ShouldBe(1);
        (await admin.PutAsync("/v1/prices", $"[{One}]")).ShouldBe(200)["unchanged"].GetInt32().ShouldBe(1);
        var other = One.Replace("15.5", "16", StringComparison.Ordinal);
        (await admin.PutAsync("/v1/prices", $"[{One.Replace("voice", "song", StringComparison.Ordinal)},{other}]")).ShouldFail(409, "price_conflict").Message.ShouldStartWith("$[1]: ");
        (await admin.PutAsync("/v1/prices?replace=true", other)).ShouldBe(200)["replaced"].GetInt32().ShouldBe(1);
        (await OursAsync(user)).ShouldBe(1);
    }

    [Theory]
    [InlineData("tts.characters", "apples", "price_invalid")]
    [InlineData("15.5", "-1", "price_invalid")]
    [InlineData("voice-*", "/(a{99}){99}/", "price_invalid")]
    [InlineData("\"15.5\"", "\"a lot\"", "input_invalid")]
    [InlineData("acme\",", "acme\",\"colour\":1,", "input_invalid")]
    public async Task A_price_that_is_none_is_refused_and_nothing_is_set(string part, string becomes, string code)
    {
        await using var api = await Api.StartAsync(cluster);
        using var admin = api.As(await api.Database.NewUserAsync(isAdmin: true));
        (await admin.PutAsync("/v1/prices", $"[{One.Replace("voice", "song", StringComparison.Ordinal)},{One.Replace(part, becomes, StringComparison.Ordinal)}]")).ShouldFail(400, code);
        (await OursAsync(admin)).ShouldBe(0);
    }

    [Fact]
    public async Task Usage_is_ones_own_and_everyones_for_admins()
    {
        await using var api = await Api.StartAsync(cluster);
        var owner = await api.Database.NewUserAsync();
        using var user = api.As(owner);
        using var stranger = api.As(await api.Database.NewUserAsync());
        using var admin = api.As(await api.Database.NewUserAsync(isAdmin: true));
        var id = await user.StartAsync("""{"kind":"call","status":"active","llm_provider":"openai"}""");
        (await user.PostAsync($"/v1/conversations/{id}/turns", """{"role":"assistant","model":"gpt-realtime","input_tokens":10,"end_to_end_ms":640}""")).ShouldBe(201);
        await api.Database.Charges.RecordAsServiceAsync(
            [new NewCharge { Id = Guid.CreateVersion7(), ConversationId = id, Stage = "llm", Meter = Meters.OutputAudio, Provider = "openai", Model = "gpt-realtime", Quantity = 100, ChargedAt = DateTimeOffset.UtcNow }],
            Cancel);

        var own = (await user.GetAsync("/v1/usage?by=model")).ShouldBe(200);
        own["by"].GetString().ShouldBe("model");
        own["total"].GetProperty("conversations").GetInt32().ShouldBe(1);
        own["total"].GetProperty("cost_usd").GetString().ShouldBe("0.006400000");
        own["total"].GetProperty("tokens").GetProperty("input").GetInt32().ShouldBe(10);
        own["total"].GetProperty("meters").GetProperty("llm.output.audio").GetDecimal().ShouldBe(100);
        own["data"][0].GetProperty("key").GetString().ShouldBe("gpt-realtime");
        own["data"][0].GetProperty("latency").GetProperty("p95_ms").GetDecimal().ShouldBeInRange(627, 653);
        (await stranger.GetAsync("/v1/usage")).ShouldBe(200)["total"].GetProperty("conversations").GetInt32().ShouldBe(0);
        (await stranger.GetAsync($"/v1/usage?user_id={owner.UserId}")).ShouldFail(403, "forbidden");
        (await stranger.GetAsync("/v1/usage?everyone=true")).ShouldFail(403, "forbidden");
        (await admin.GetAsync($"/v1/usage?user_id={owner.UserId}&by=day")).ShouldBe(200)["data"].GetArrayLength().ShouldBe(1);
        (await admin.GetAsync("/v1/usage?everyone=true&by=stage&from=2026-01-01")).ShouldBe(200)["total"].GetProperty("conversations").GetInt32().ShouldBe(1);
    }

    [Theory]
    [InlineData("/v1/usage?by=hour", "query_invalid")]
    [InlineData("/v1/usage?from=May", "query_invalid")]
    [InlineData("/v1/usage?from=2026-13-01", "query_invalid")]
    [InlineData("/v1/usage?from=2026-05-02&to=2026-05-01", "period_invalid")]
    [InlineData("/v1/usage?from=2000-01-01&by=day", "period_invalid")]
    [InlineData("/v1/usage?user_id=me", "query_invalid")]
    [InlineData("/v1/prices/check?days=0", "query_invalid")]
    [InlineData("/v1/prices?x=1", "query_invalid")]
    public async Task A_question_that_is_none_is_refused(string path, string code)
    {
        await using var api = await Api.StartAsync(cluster);
        using var admin = api.As(await api.Database.NewUserAsync(isAdmin: true));
        (await admin.GetAsync(path)).ShouldFail(400, code);
    }

    [Fact]
    public async Task The_check_of_prices_is_for_admins()
    {
        await using var api = await Api.StartAsync(cluster);
        using var user = api.As(await api.Database.NewUserAsync());
        using var admin = api.As(await api.Database.NewUserAsync(isAdmin: true));
        await user.StartAsync("""{"kind":"call","llm_provider":"openai","llm_model":"gpt-realtime"}""");
        (await user.GetAsync("/v1/prices/check")).ShouldFail(403, "forbidden");
        var finding = (await admin.GetAsync("/v1/prices/check")).ShouldBe(200)["data"][0];
        (finding.GetProperty("problem").GetString(), finding.GetProperty("shutdown_on").GetString()).ShouldBe(("shutting_down", "2027-01-20"));
    }

    private static async Task<int> OursAsync(Client client) =>
        (await client.GetAsync("/v1/prices")).ShouldBe(200)["data"].EnumerateArray().Count(price => !price.GetProperty("is_default").GetBoolean());
}
