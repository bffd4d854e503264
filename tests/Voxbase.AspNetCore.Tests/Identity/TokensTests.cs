using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Voxbase.AspNetCore.Tests;

public sealed class TokensTests
{
    private const string Secret = "0123456789abcdef0123456789abcdef";
    private static readonly DateTimeOffset Now = new(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly Guid User = Guid.Parse("01890a5d-ac96-774b-bcce-b302099a8057");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_minted_token_names_its_caller()
    {
        using var tokens = Of();
        var token = tokens.Mint("authenticated", User, "ada@example.org", TimeSpan.FromHours(1), new JsonObject { ["tier"] = "pro" });
        var caller = await tokens.VerifyAsync(token, Cancel);
        (caller.Role, caller.UserId).ShouldBe(("authenticated", User));
        var claims = JsonNode.Parse(caller.Claims)!;
        (claims["email"]!.GetValue<string>(), claims["tier"]!.GetValue<string>(), claims["exp"]!.GetValue<long>())
            .ShouldBe(("ada@example.org", "pro", Now.AddHours(1).ToUnixTimeSeconds()));
    }

    [Fact]
    public async Task A_known_token_verifies_to_the_letter()
    {
        // Made with Python's hmac and hashlib, with the secret above.
        const string token =
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiYXV0aGVudGljYXRlZCIsInN1YiI6IjAxODkwYTVkLWFjOTYtNzc0Yi1iY2NlLWIzMDIwOTlhODA1NyIsImV4cCI6MTc3NzY0MDQwMH0.X4lMhAM_tn6pgyrwb-YOTvRJI1-npw89DDyi6ACxeHs";
        using var tokens = Of();
        (await tokens.VerifyAsync(token, Cancel)).UserId.ShouldBe(User);
    }

    [Fact]
    public async Task The_example_key_of_RFC_7515_A3_holds_with_ES256()
    {
        // RFC 7515, appendix A.3: header, payload, key and signature. Its claims name no caller, which is found after the signature held.
        const string token =
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
            + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        const string jwks =
            """
            {"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}
            """;
        using var file = new JwksFile(jwks);
        using var tokens = Of(o => o.Jwks = file.Path, new Clock(DateTimeOffset.FromUnixTimeSeconds(1300819380 - 60)));
        await FailsAsync(tokens, token, "token_claims_invalid");
        await FailsAsync(tokens, token.Replace(".Dt", ".Du", StringComparison.Ordinal), "token_invalid");
    }

    [Fact]
    public async Task The_same_token_gives_the_same_caller_and_another_token_another()
    {
        using var tokens = Of();
        var token = tokens.Mint("authenticated", User);
        var first = await tokens.VerifyAsync(token, Cancel);
        (await tokens.VerifyAsync(new string(token.AsSpan()), Cancel)).ShouldBeSameAs(first);
        (await tokens.VerifyAsync(tokens.Mint("authenticated", User, "a@b.c"), Cancel)).ShouldNotBeSameAs(first);
    }

    [Fact]
    public async Task Many_at_once_get_one_caller()
    {
        using var tokens = Of();
        var token = tokens.Mint("authenticated", User);
        var callers = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(async () => await tokens.VerifyAsync(token, Cancel), Cancel)));
        callers.ShouldAllBe(caller => ReferenceEquals(caller, callers[0]));
    }

    [Fact]
    public async Task More_tokens_than_are_remembered_still_verify()
    {
        using var tokens = Of(o => o.RememberedTokens = 4);
        for (var i = 0; i < 50; i++)
        {
            var user = Guid.CreateVersion7();
            (await tokens.VerifyAsync(tokens.Mint("authenticated", user), Cancel)).UserId.ShouldBe(user);
        }
    }

    [Fact]
    public async Task A_remembered_token_ends_with_its_expiry()
    {
        var clock = new Clock(Now);
        using var tokens = Of(o => (o.RememberFor, o.Leeway) = (TimeSpan.FromHours(1), TimeSpan.FromSeconds(30)), clock);
        var token = tokens.Mint("authenticated", User, lifetime: TimeSpan.FromMinutes(1));
        await tokens.VerifyAsync(token, Cancel);
        clock.Now = Now.AddSeconds(89);
        await tokens.VerifyAsync(token, Cancel);
        clock.Now = Now.AddSeconds(90);
        await FailsAsync(tokens, token, "token_expired");
    }

    [Theory]
    [InlineData("", "token_missing")]
    [InlineData("abc", "token_invalid")]
    [InlineData("a.b", "token_invalid")]
    [InlineData("a.b.c.d", "token_invalid")]
    [InlineData("..", "token_invalid")]
    [InlineData("é.é.é", "token_invalid")]
    [InlineData("\0.\0.\0", "token_invalid")]
    public async Task Text_that_is_no_token_is_refused(string text, string code)
    {
        using var tokens = Of();
        await FailsAsync(tokens, text, code);
    }

    [Fact]
    public async Task A_null_token_is_missing_and_a_huge_one_invalid()
    {
        using var tokens = Of();
        await FailsAsync(tokens, null, "token_missing");
        await FailsAsync(tokens, new string('a', Tokens.MaxLength + 1), "token_invalid");
    }

    [Theory]
    [InlineData("""{"alg":"none"}""")]
    [InlineData("""{"alg":"None"}""")]
    [InlineData("""{"alg":"HS384"}""")]
    [InlineData("""{"alg":"hs256"}""")]
    [InlineData("""{"alg":["HS256"]}""")]
    [InlineData("""{"alg":"HS256","alg":"none"}""")]
    [InlineData("""{"alg":"HS256","crit":["exp"]}""")]
    [InlineData("""{"alg":"HS256","typ":"logout+jwt"}""")]
    [InlineData("""{"typ":"JWT"}""")]
    [InlineData("""["HS256"]""")]
    [InlineData("{\"alg\":\"HS256\"")]
    public async Task A_header_that_is_not_exactly_ours_is_refused_though_the_signature_holds(string header)
    {
        using var tokens = Of();
        await FailsAsync(tokens, Sign(header, Claims()), "token_invalid");
    }

    [Fact]
    public async Task No_signature_is_no_token()
    {
        using var tokens = Of();
        var unsigned = $"{Encode("""{"alg":"none"}""")}.{Encode(Claims())}.";
        await FailsAsync(tokens, unsigned, "token_invalid");
        var stripped = Sign("""{"alg":"HS256"}""", Claims());
        await FailsAsync(tokens, stripped[..(stripped.LastIndexOf('.') + 1)], "token_invalid");
    }

    [Fact]
    public async Task Every_changed_character_breaks_a_token()
    {
        using var tokens = Of();
        var token = tokens.Mint("authenticated", User);
        for (var i = 0; i < token.Length; i++)
        {
            var changed = token.ToCharArray();
            changed[i] = changed[i] == 'A' ? 'B' : 'A';
            var error = await Should.ThrowAsync<VoxbaseException>(async () => await tokens.VerifyAsync(new string(changed), Cancel));
            error.Code.ShouldBe("token_invalid", $"at {i}");
        }
    }

    [Theory]
    [InlineData("=")]
    [InlineData(" ")]
    [InlineData("\n")]
    [InlineData("%")]
    public async Task Base64url_has_one_spelling(string more)
    {
        using var tokens = Of();
        var token = tokens.Mint("authenticated", User);
        await FailsAsync(tokens, token + more, "token_invalid");
        await FailsAsync(tokens, token.Replace(".", more + ".", StringComparison.Ordinal), "token_invalid");
    }

    [Fact]
    public async Task Another_secret_is_another_server()
    {
        using var ours = Of();
        using var theirs = Of(o => o.Secret = "another secret of at least 32 bytes");
        await FailsAsync(ours, theirs.Mint("service_role"), "token_invalid");
    }

    [Theory]
    [InlineData("""{"role":"service_role"}""", "token_invalid")]
    [InlineData("""{"role":"service_role","exp":"1777640400"}""", "token_invalid")]
    [InlineData("""{"role":"service_role","exp":-1}""", "token_invalid")]
    [InlineData("""{"role":"service_role","exp":1e300}""", "token_invalid")]
    [InlineData("""{"role":"service_role","exp":null}""", "token_invalid")]
    [InlineData("""{"role":"service_role","exp":1777640400,"nbf":"x"}""", "token_invalid")]
    [InlineData("""{"role":"anon","role":"service_role","exp":1777640400}""", "token_invalid")]
    [InlineData("""{"role":"service_role","exp":1777640400,"x":"\u0000"}""", "token_invalid")]
    [InlineData("""{"role":"service_role","exp":1777640400,"x":"\ud800"}""", "token_invalid")]
    [InlineData("""{"role":"service_role","exp":1777640400,"x":1e400}""", "token_invalid")]
    [InlineData("""[{"role":"service_role"}]""", "token_invalid")]
    [InlineData("""{"exp":1777640400}""", "token_claims_invalid")]
    [InlineData("""{"role":"postgres","exp":1777640400}""", "token_claims_invalid")]
    [InlineData("""{"role":"authenticated","exp":1777640400}""", "token_claims_invalid")]
    [InlineData("""{"role":"authenticated","sub":"42","exp":1777640400}""", "token_claims_invalid")]
    [InlineData("""{"role":"authenticated","sub":"{01890a5d-ac96-774b-bcce-b302099a8057}","exp":1777640400}""", "token_claims_invalid")]
    public async Task Claims_that_name_no_caller_for_a_time_are_refused(string claims, string code)
    {
        using var tokens = Of();
        await FailsAsync(tokens, Sign("""{"alg":"HS256"}""", claims), code);
    }

    [Theory]
    [InlineData("exp", -29, null)]
    [InlineData("exp", -30, "token_expired")]
    [InlineData("exp", -3600, "token_expired")]
    [InlineData("nbf", 30, null)]
    [InlineData("nbf", 31, "token_not_yet_valid")]
    [InlineData("iat", 30, null)]
    [InlineData("iat", 31, "token_not_yet_valid")]
    public async Task Times_hold_within_thirty_seconds(string claim, int seconds, string? code)
    {
        using var tokens = Of();
        var claims = new JsonObject { ["role"] = "service_role", ["exp"] = Now.AddHours(1).ToUnixTimeSeconds() };
        claims[claim] = Now.AddSeconds(seconds).ToUnixTimeSeconds();
        var token = Sign("""{"alg":"HS256"}""", claims.ToJsonString());
        if (code is null)
            (await tokens.VerifyAsync(token, Cancel)).IsService.ShouldBeTrue();
        else
            await FailsAsync(tokens, token, code);
    }

    [Theory]
    [InlineData("\"voxbase\"", true)]
    [InlineData("[\"other\",\"voxbase\"]", true)]
    [InlineData("\"other\"", false)]
    [InlineData("[\"other\",1]", false)]
    [InlineData("[]", false)]
    [InlineData("{\"voxbase\":true}", false)]
    [InlineData(null, false)]
    public async Task An_audience_that_is_asked_must_be_named(string? audience, bool holds)
    {
        using var tokens = Of(o => o.Audience = "voxbase");
        var token = Sign("""{"alg":"HS256"}""", Claims(audience is null ? "" : $",\"aud\":{audience}"));
        if (holds)
            await tokens.VerifyAsync(token, Cancel);
        else
            await FailsAsync(tokens, token, "token_invalid");
        await tokens.VerifyAsync(tokens.Mint("service_role"), Cancel);
    }

    [Fact]
    public async Task An_issuer_that_is_asked_must_be_named()
    {
        using var tokens = Of(o => o.Issuer = "https://id.example.org");
        await tokens.VerifyAsync(Sign("""{"alg":"HS256"}""", Claims(",\"iss\":\"https://id.example.org\"")), Cancel);
        await FailsAsync(tokens, Sign("""{"alg":"HS256"}""", Claims(",\"iss\":\"https://id.example.org/\"")), "token_invalid");
        await FailsAsync(tokens, Sign("""{"alg":"HS256"}""", Claims()), "token_invalid");
    }

    [Theory]
    [InlineData("postgres", false, 60)]
    [InlineData("authenticated", false, 60)]
    [InlineData("service_role", false, 0)]
    [InlineData("service_role", false, -60)]
    [InlineData("service_role", false, 400_000_000)]
    public void What_cannot_be_minted_is_refused(string role, bool user, int seconds)
    {
        using var tokens = Of();
        Should.Throw<VoxbaseException>(() => tokens.Mint(role, user ? User : null, lifetime: TimeSpan.FromSeconds(seconds))).Code.ShouldBe("token_not_mintable");
    }

    [Fact]
    public void Extra_claims_replace_none_of_our_own()
    {
        using var tokens = Of();
        Should.Throw<VoxbaseException>(() => tokens.Mint("anon", extraClaims: new JsonObject { ["role"] = "service_role" })).Code.ShouldBe("token_not_mintable");
    }

    [Fact]
    public async Task Without_a_secret_nothing_is_minted_or_believed()
    {
        using var with = Of();
        using var without = Of(o => o.Secret = null);
        Should.Throw<VoxbaseException>(() => without.Mint("anon")).Code.ShouldBe("token_not_mintable");
        await FailsAsync(without, with.Mint("service_role"), "token_invalid");
    }

    [Fact]
    public void Options_out_of_range_are_all_named_and_the_secret_is_not()
    {
        var faults = new List<string>();
        new TokensOptions { Secret = "hush", Jwks = "ftp://x/y", Audience = "", Leeway = TimeSpan.FromHours(1), RememberedTokens = 0 }.Validate(faults.Add);
        faults.Count.ShouldBe(5);
        faults.ShouldAllBe(fault => fault.StartsWith("Tokens.") && !fault.Contains("hush"));
    }

    private static Tokens Of(Action<TokensOptions>? configure = null, TimeProvider? time = null)
    {
        var options = new TokensOptions { Secret = Secret };
        configure?.Invoke(options);
        return new Tokens(options, time ?? new Clock(Now));
    }

    private static string Claims(string more = "") => $$"""{"role":"service_role","exp":{{Now.AddHours(1).ToUnixTimeSeconds()}}{{more}}}""";

    private static string Sign(string header, string claims)
    {
        var signed = $"{Encode(header)}.{Encode(claims)}";
        return $"{signed}.{Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.ASCII.GetBytes(signed)))}";
    }

    private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    private static async Task FailsAsync(Tokens tokens, string? token, string code)
    {
        var error = await Should.ThrowAsync<VoxbaseException>(async () => await tokens.VerifyAsync(token, Cancel));
        error.Code.ShouldBe(code, error.Message);
        if (token is { Length: > 8 })
            error.Message.ShouldNotContain(token);
    }
}

/// <summary>A clock that stands until it is moved.</summary>
internal sealed class Clock(DateTimeOffset now) : TimeProvider
{
    public DateTimeOffset Now { get; set; } = now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => Now;

    public override long GetTimestamp() => Now.UtcTicks;
}

/// <summary>A file for one test.</summary>
internal sealed class JwksFile : IDisposable
{
    public JwksFile(string text) => Write(text);

    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"voxbase-jwks-{Guid.NewGuid():n}.json");

    public void Write(string text) => File.WriteAllText(Path, text);

    public void Dispose() => File.Delete(Path);
}
