using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Voxbase.LiveKit;
using Voxbase.Tests.Capture;

namespace Voxbase.Tests.LiveKit;

public sealed class LiveKitTokensTests
{
    private const string Key = "devkey";
    private const string Secret = "secretsecretsecretsecretsecret32";

    private static readonly DateTimeOffset Noon = new(2026, 11, 20, 20, 20, 30, TimeSpan.Zero);

    [Fact]
    public async Task Tokens_of_the_official_sdk_are_read_and_their_claims_are_what_it_put_in()
    {
        var golden = JsonElement.Parse(await File.ReadAllTextAsync(Logs.Sample("livekit/tokens/access_tokens.json"), TestContext.Current.CancellationToken));
        golden.GetArrayLength().ShouldBeGreaterThan(5);
        foreach (var token in golden.EnumerateArray())
        {
            var issued = DateTimeOffset.FromUnixTimeSeconds(token.GetProperty("claims").GetProperty("nbf").GetInt64());
            var tokens = Tokens(issued, token.GetProperty("apiKey").GetString()!, token.GetProperty("apiSecret").GetString()!);
            var claims = tokens.Verify(token.GetProperty("jwt").GetString());
            JsonElement.DeepEquals(claims, token.GetProperty("claims")).ShouldBeTrue(token.GetProperty("name").GetString());
        }
    }

    [Fact]
    public void Webhooks_of_the_official_samples_get_the_verdicts_of_the_official_receiver()
    {
        var signatures = JsonElement.Parse(File.ReadAllText(Logs.Sample("livekit/tokens/webhook_signatures.json")));
        foreach (var sample in signatures.EnumerateArray())
        {
            var name = sample.GetProperty("file").GetString()!;
            var issued = DateTimeOffset.FromUnixTimeSeconds(sample.GetProperty("claims").GetProperty("nbf").GetInt64());
            var webhooks = new LiveKitWebhooks(Tokens(issued, Key, Secret), null!);
            // Signed without the file's last newline.
            var body = Encoding.UTF8.GetBytes(File.ReadAllText(Logs.Sample($"livekit/webhooks/{name}")).TrimEnd('\n'));
            Convert.ToBase64String(SHA256.HashData(body)).ShouldBe(sample.GetProperty("sha256").GetString(), name);
            webhooks.VerifySignature(sample.GetProperty("authorization").GetString(), body);
            Should.Throw<VoxbaseException>(() => webhooks.VerifySignature(sample.GetProperty("authorization").GetString(), [.. body, (byte)' '])).Code
                .ShouldBe("livekit_webhook_unsigned");
            if (sample.GetProperty("official_sdk_result").TryGetProperty("error", out _))
            {
                Should.Throw<VoxbaseException>(() => LiveKitEvent.Accept(body)).Code.ShouldBe("livekit_webhook_invalid", name);
                continue;
            }

            var (e, payload) = LiveKitEvent.Accept(body);
            (e.Type, e.Id).ShouldBe((sample.GetProperty("official_sdk_result").GetProperty("event").GetString(), sample.GetProperty("official_sdk_result").GetProperty("id").GetString()));
            payload.ShouldNotContain("turnPassword");
        }
    }

    [Fact]
    public void A_token_holds_what_was_asked_and_nothing_else()
    {
        var tokens = Tokens(Noon);
        var jwt = tokens.Mint(
            new NewLiveKitToken
            {
                Identity = "ada",
                Name = "Ada",
                Kind = "sip",
                KindDetails = ["twilio"],
                Metadata = """{"a":1}""",
                Attributes = new Dictionary<string, string> { ["lang"] = "en" },
                Video = new() { RoomJoin = true, Room = "call", CanPublish = false, CanPublishData = true, CanPublishSources = ["microphone"], Hidden = true },
                Sip = new(Call: true),
                Agent = new(SimulationAdmin: true),
                Inference = new(Perform: true),
                Observability = new(Write: true),
                RoomPreset = "small",
                RoomConfig = JsonElement.Parse("""{"maxParticipants":2,"egress":{"room":{"file":{"s3":{"bucket":"b","accessKey":""}}}}}"""),
                Lifetime = TimeSpan.FromMinutes(5),
            },
            out var expiresAt);
        expiresAt.ShouldBe(Noon.AddMinutes(5));
        var claims = tokens.Verify(jwt);
        JsonElement.DeepEquals(claims, JsonElement.Parse(
            $$$"""
            {
              "iss":"devkey", "nbf":{{{Noon.ToUnixTimeSeconds()}}}, "iat":{{{Noon.ToUnixTimeSeconds()}}}, "exp":{{{expiresAt.ToUnixTimeSeconds()}}},
              "sub":"ada", "name":"Ada", "kind":"sip", "kindDetails":["twilio"], "metadata":"{\"a\":1}", "attributes":{"lang":"en"},
              "video":{"roomJoin":true,"room":"call","canPublish":false,"canPublishData":true,"canPublishSources":["microphone"],"hidden":true},
              "sip":{"call":true}, "agent":{"simulationAdmin":true}, "inference":{"perform":true}, "observability":{"write":true},
              "roomPreset":"small", "roomConfig":{"maxParticipants":2,"egress":{"room":{"file":{"s3":{"bucket":"b","accessKey":""} } } } }
            }
            """)).ShouldBeTrue(claims.ToString());
        tokens.Verify(jwt, "observability", "write");
        Should.Throw<VoxbaseException>(() => tokens.Verify(jwt, "sip", "admin")).Code.ShouldBe("livekit_token_invalid");
    }

    [Fact]
    public void A_token_is_short_lived_unless_told_otherwise()
    {
        Tokens(Noon).Mint(new NewLiveKitToken { Identity = "ada" }, out var expiresAt);
        expiresAt.ShouldBe(Noon.AddMinutes(10));
    }

    public static TheoryData<string, NewLiveKitToken> Impossible => new()
    {
        { "no identity", new() { Video = new() { RoomJoin = true, Room = "r" } } },
        { "no room", new() { Identity = "a", Video = new() { RoomJoin = true } } },
        { "no room to govern", new() { Identity = "a", Video = new() { RoomAdmin = true } } },
        { "unknown kind", new() { Identity = "a", Kind = "robot" } },
        { "unknown source", new() { Identity = "a", Video = new() { CanPublishSources = ["screen"] } } },
        { "too long", new() { Identity = "a", Lifetime = TimeSpan.FromHours(25) } },
        { "too short", new() { Identity = "a", Lifetime = TimeSpan.Zero } },
        { "long identity", new() { Identity = new string('a', 513) } },
        { "secret", new() { Identity = "a", RoomConfig = JsonElement.Parse("""{"egress":{"room":{"file":{"s3":{"bucket":"b","secret":"s"}}}}}""") } },
        { "snake secret", new() { Identity = "a", RoomConfig = JsonElement.Parse("""{"egress":{"tracks":{"azure":{"account_key":"s"}}}}""") } },
        { "credentials", new() { Identity = "a", RoomConfig = JsonElement.Parse("""{"egress":{"room":{"fileOutputs":[{"gcp":{"credentials":"{}"}}]}}}""") } },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void What_must_not_be_in_a_token_is_refused(string why, NewLiveKitToken token) =>
        Should.Throw<VoxbaseException>(() => Tokens(Noon).Mint(token), why).Code.ShouldBe("livekit_token_not_mintable");

    [Fact]
    public void A_token_that_does_not_hold_is_refused()
    {
        var tokens = Tokens(Noon);
        var good = tokens.Mint(new NewLiveKitToken { Identity = "ada", Lifetime = TimeSpan.FromMinutes(1) });
        tokens.Verify(good);
        var parts = good.Split('.');
        Refuse(null, "token");
        Refuse("", "token");
        Refuse("x", "three parts");
        Refuse($"{parts[0]}.{parts[1]}.{Encode("short")}", "signature");
        Refuse($"{parts[0]}.{parts[1]}.{parts[2]}=", "base64url");
        Refuse($"{parts[0]}.{Encode("""{"iss":"devkey","exp":99999999999}""")}.{parts[2]}", "signature");
        Refuse(Signed("""{"alg":"none"}""", """{"iss":"devkey","exp":99999999999}"""), "HS256");
        Refuse(Signed("""{"alg":"HS512"}""", """{"iss":"devkey","exp":99999999999}"""), "HS256");
        Refuse(Signed("""{"alg":"HS256"}""", """{"iss":"otherkey","exp":99999999999}"""), "API key");
        Refuse(Signed("""{"alg":"HS256"}""", """{"iss":"devkey"}"""), "expiry");
        Refuse(Signed("""{"alg":"HS256"}""", """{"iss":"devkey","iss":"devkey","exp":99999999999}"""), "JSON object");
        Refuse(Signed("""{"alg":"HS256"}""", $$"""{"iss":"devkey","exp":99999999999,"nbf":{{Noon.AddMinutes(2).ToUnixTimeSeconds()}}}"""), "begins");
        Refuse(Tokens(Noon, Key, "anothersecretanothersecretanother").Mint(new NewLiveKitToken { Identity = "ada" }), "signature");
        // The leeway is a minute.
        Tokens(Noon.AddSeconds(119)).Verify(good);
        Should.Throw<VoxbaseException>(() => Tokens(Noon.AddSeconds(120)).Verify(good)).Message.ShouldContain("ended");
        Should.Throw<VoxbaseException>(() => new LiveKitTokens(new VoxbaseOptions(), TimeProvider.System).Verify(good)).Code.ShouldBe("livekit_not_configured");

        void Refuse(string? token, string because)
        {
            var error = Should.Throw<VoxbaseException>(() => tokens.Verify(token), because);
            error.Code.ShouldBe("livekit_token_invalid");
            error.Message.ShouldContain(because);
        }
    }

    private static string Signed(string header, string payload)
    {
        var signed = $"{Encode(header)}.{Encode(payload)}";
        return $"{signed}.{System.Buffers.Text.Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.ASCII.GetBytes(signed)))}";
    }

    private static string Encode(string text) => System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    private static LiveKitTokens Tokens(DateTimeOffset now, string key = Key, string secret = Secret) =>
        new(new VoxbaseOptions { LiveKit = { ApiKey = key, ApiSecret = secret } }, new StoppedClock(now));
}

/// <summary>A clock that stands.</summary>
internal sealed class StoppedClock(DateTimeOffset now) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => now;
}
