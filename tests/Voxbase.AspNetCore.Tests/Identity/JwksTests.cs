using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Voxbase.AspNetCore.Tests;

public sealed class JwksTests
{
    private const string Secret = "0123456789abcdef0123456789abcdef";
    private static readonly DateTimeOffset Now = new(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("RS256")]
    [InlineData("ES256")]
    public async Task A_token_of_the_identity_provider_holds(string algorithm)
    {
        using var key = new Key(algorithm, "k1");
        using var file = new JwksFile(Set(key));
        using var tokens = Of(file.Path);
        (await tokens.VerifyAsync(key.Sign(), Cancel)).IsService.ShouldBeTrue();
        (await tokens.VerifyAsync(key.Sign(kid: null), Cancel)).IsService.ShouldBeTrue("without a kid the only key of the algorithm is meant");
    }

    [Fact]
    public async Task A_public_key_is_never_taken_for_a_secret()
    {
        using var key = new Key("RS256", "k1");
        using var file = new JwksFile(Set(key));
        using var tokens = Of(file.Path);
        foreach (var secret in new[] { key.Rsa!.ExportSubjectPublicKeyInfoPem(), key.Rsa.ExportRSAPublicKeyPem(), key.Jwk, Set(key) })
        {
            foreach (var bytes in new[] { Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(secret + "\n") })
                await FailsAsync(tokens, Key.Sign("HS256", "k1", signed => HMACSHA256.HashData(bytes, signed)), "token_invalid");
        }

        var modulus = key.Rsa.ExportParameters(false).Modulus!;
        await FailsAsync(tokens, Key.Sign("HS256", "k1", signed => HMACSHA256.HashData(modulus, signed)), "token_invalid");
    }

    [Fact]
    public async Task A_secret_among_the_public_keys_is_never_used()
    {
        var secret = RandomNumberGenerator.GetBytes(32);
        using var file = new JwksFile($$"""{"keys":[{"kty":"oct","kid":"k1","alg":"HS256","k":"{{Base64Url.EncodeToString(secret)}}"}]}""");
        using var tokens = Of(file.Path);
        await FailsAsync(tokens, Key.Sign("HS256", "k1", signed => HMACSHA256.HashData(secret, signed)), "token_invalid");
    }

    [Fact]
    public async Task Keys_and_algorithms_are_not_mixed()
    {
        using var rsa = new Key("RS256", "rsa");
        using var ec = new Key("ES256", "ec");
        using var file = new JwksFile(Set(rsa, ec));
        using var tokens = Of(file.Path);
        await FailsAsync(tokens, Key.Sign("ES256", "rsa", rsa.SignBytes), "token_invalid");
        await FailsAsync(tokens, Key.Sign("RS256", "ec", ec.SignBytes), "token_invalid");
        await FailsAsync(tokens, Key.Sign("RS512", "rsa", rsa.SignBytes), "token_invalid");
        await FailsAsync(tokens, Key.Sign("PS256", "rsa", s => rsa.Rsa!.SignData(s, HashAlgorithmName.SHA256, RSASignaturePadding.Pss)), "token_invalid");
        await FailsAsync(
            tokens, Key.Sign("ES256", "ec", s => ec.Ec!.SignData(s, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)), "token_invalid");
        await FailsAsync(tokens, Key.Sign("ES256", "ec", _ => new byte[64]), "token_invalid");
        await tokens.VerifyAsync(rsa.Sign(), Cancel);
        await tokens.VerifyAsync(ec.Sign(), Cancel);
    }

    [Theory]
    [InlineData("\"use\":\"enc\"")]
    [InlineData("\"key_ops\":[\"encrypt\"]")]
    [InlineData("\"key_ops\":\"verify\"")]
    [InlineData("\"alg\":\"RS512\"")]
    public async Task A_key_for_another_purpose_signs_nothing(string member)
    {
        using var key = new Key("RS256", "k1", member);
        using var file = new JwksFile(Set(key));
        using var tokens = Of(file.Path);
        await FailsAsync(tokens, key.Sign(), "token_invalid");
    }

    [Fact]
    public async Task A_short_RSA_key_signs_nothing()
    {
        using var key = new Key("RS256", "k1", bits: 1024);
        using var file = new JwksFile(Set(key));
        using var tokens = Of(file.Path);
        await FailsAsync(tokens, key.Sign(), "token_invalid");
    }

    [Fact]
    public async Task Of_two_keys_without_a_name_none_is_guessed()
    {
        using var one = new Key("ES256", "a");
        using var two = new Key("ES256", "b");
        using var file = new JwksFile(Set(one, two));
        using var tokens = Of(file.Path);
        await FailsAsync(tokens, one.Sign(kid: null), "token_invalid");
        await tokens.VerifyAsync(one.Sign(), Cancel);
    }

    [Fact]
    public async Task The_server_s_own_tokens_hold_beside_those_of_the_provider()
    {
        using var key = new Key("ES256", "k1");
        using var file = new JwksFile(Set(key));
        using var tokens = Of(file.Path);
        (await tokens.VerifyAsync(tokens.Mint("service_role"), Cancel)).IsService.ShouldBeTrue();
    }

    [Fact]
    public async Task A_new_key_is_found_when_a_token_names_it_and_an_old_one_goes()
    {
        using var old = new Key("ES256", "old");
        using var fresh = new Key("ES256", "new");
        var clock = new Clock(Now);
        await using var provider = await Provider.StartAsync(Set(old));
        using var tokens = Of(provider.Url, clock, o => o.RememberFor = TimeSpan.Zero);
        await tokens.VerifyAsync(old.Sign(), Cancel);
        await tokens.VerifyAsync(old.Sign(), Cancel);
        provider.Asked.ShouldBe(1);

        provider.Json = Set(fresh);
        clock.Now = Now.AddSeconds(11);
        await tokens.VerifyAsync(fresh.Sign(), Cancel);
        provider.Asked.ShouldBe(2);
        await FailsAsync(tokens, old.Sign(), "token_invalid");
    }

    [Fact]
    public async Task Unknown_keys_do_not_make_the_server_ask_more_often_than_the_interval()
    {
        using var known = new Key("ES256", "known");
        using var unknown = new Key("ES256", "unknown");
        var clock = new Clock(Now);
        await using var provider = await Provider.StartAsync(Set(known));
        using var tokens = Of(provider.Url, clock);
        await tokens.VerifyAsync(known.Sign(), Cancel);
        for (var i = 0; i < 20; i++)
            await FailsAsync(tokens, unknown.Sign(), "token_invalid");
        provider.Asked.ShouldBe(1);
        clock.Now = Now.AddSeconds(10);
        for (var i = 0; i < 20; i++)
            await FailsAsync(tokens, unknown.Sign(), "token_invalid");
        provider.Asked.ShouldBe(2);
    }

    [Fact]
    public async Task Many_who_come_at_once_ask_once()
    {
        using var key = new Key("ES256", "k1");
        await using var provider = await Provider.StartAsync(Set(key));
        using var tokens = Of(provider.Url);
        await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(async () => await tokens.VerifyAsync(key.Sign(), Cancel), Cancel)));
        provider.Asked.ShouldBe(1);
    }

    [Fact]
    public async Task While_the_provider_is_away_its_last_keys_hold()
    {
        using var key = new Key("ES256", "k1");
        var clock = new Clock(Now);
        await using var provider = await Provider.StartAsync(Set(key));
        using var tokens = Of(provider.Url, clock, o => o.RememberFor = TimeSpan.Zero);
        await tokens.VerifyAsync(key.Sign(), Cancel);
        foreach (var nonsense in new[] { "", "{}", "[]", """{"keys":{}}""", "<html>", """{"keys":[],"keys":[]}""", new string(' ', 300_000) })
        {
            provider.Json = nonsense;
            clock.Now += TimeSpan.FromMinutes(11);
            await tokens.VerifyAsync(key.Sign(), Cancel);
        }

        provider.Asked.ShouldBe(8);
    }

    [Fact]
    public async Task Without_any_keys_read_the_answer_is_try_again()
    {
        using var key = new Key("ES256", "k1");
        using var missing = Of(Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}.json"));
        await FailsAsync(missing, key.Sign(), "token_keys_unavailable");

        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var silent = Of($"http://{listener.LocalEndpoint}/jwks", configure: o => o.JwksTimeout = TimeSpan.FromMilliseconds(200));
        await FailsAsync(silent, key.Sign(), "token_keys_unavailable");
    }

    [Fact]
    public async Task A_redirect_of_the_provider_is_not_followed()
    {
        using var key = new Key("ES256", "k1");
        await using var elsewhere = await Provider.StartAsync(Set(key));
        await using var provider = await Provider.StartAsync(Set(key));
        provider.RedirectTo = elsewhere.Url;
        using var tokens = Of(provider.Url);
        await FailsAsync(tokens, key.Sign(), "token_keys_unavailable");
        elsewhere.Asked.ShouldBe(0);
    }

    private static Tokens Of(string jwks, TimeProvider? time = null, Action<TokensOptions>? configure = null)
    {
        var options = new TokensOptions { Secret = Secret, Jwks = jwks };
        configure?.Invoke(options);
        return new Tokens(options, time ?? new Clock(Now));
    }

    private static string Set(params Key[] keys) => $$"""{"keys":[{{string.Join(",", keys.Select(key => key.Jwk))}}]}""";

    private static async Task FailsAsync(Tokens tokens, string token, string code) =>
        (await Should.ThrowAsync<VoxbaseException>(async () => await tokens.VerifyAsync(token, Cancel))).Code.ShouldBe(code);

    private sealed class Key : IDisposable
    {
        private readonly string algorithm;
        private readonly string kid;

        public Key(string algorithm, string kid, string? member = null, int bits = 2048)
        {
            (this.algorithm, this.kid) = (algorithm, kid);
            var more = member is null ? "" : "," + member;
            if (algorithm == "RS256")
            {
                Rsa = RSA.Create(bits);
                var p = Rsa.ExportParameters(false);
                Jwk = $$"""{"kty":"RSA","kid":"{{kid}}","n":"{{Base64Url.EncodeToString(p.Modulus)}}","e":"{{Base64Url.EncodeToString(p.Exponent)}}"{{more}}}""";
            }
            else
            {
                Ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
                var q = Ec.ExportParameters(false).Q;
                Jwk = $$"""{"kty":"EC","crv":"P-256","kid":"{{kid}}","x":"{{Base64Url.EncodeToString(q.X)}}","y":"{{Base64Url.EncodeToString(q.Y)}}"{{more}}}""";
            }
        }

        public RSA? Rsa { get; }

        public ECDsa? Ec { get; }

        public string Jwk { get; }

        public string Sign() => Sign(algorithm, kid, SignBytes);

        public string Sign(string? kid) => Sign(algorithm, kid, SignBytes);

        public byte[] SignBytes(byte[] signed) =>
            Rsa?.SignData(signed, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1) ?? Ec!.SignData(signed, HashAlgorithmName.SHA256);

        public static string Sign(string algorithm, string? kid, Func<byte[], byte[]> sign)
        {
            var header = kid is null ? $$"""{"alg":"{{algorithm}}"}""" : $$"""{"alg":"{{algorithm}}","kid":"{{kid}}"}""";
            var claims = $$"""{"role":"service_role","exp":{{Now.AddYears(1).ToUnixTimeSeconds()}}}""";
            var signed = $"{Encode(header)}.{Encode(claims)}";
            return $"{signed}.{Base64Url.EncodeToString(sign(Encoding.ASCII.GetBytes(signed)))}";
        }

        public void Dispose()
        {
            Rsa?.Dispose();
            Ec?.Dispose();
        }

        private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>An identity provider's key server.</summary>
    private sealed class Provider(WebApplication app) : IAsyncDisposable
    {
        private int asked;

        public string Json { get; set; } = "";

        public string? RedirectTo { get; set; }

        public int Asked => asked;

        public string Url => app.Urls.First() + "/.well-known/jwks.json";

        public static async Task<Provider> StartAsync(string json)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
            var app = builder.Build();
            var provider = new Provider(app) { Json = json };
            app.MapGet("/.well-known/jwks.json", context =>
            {
                Interlocked.Increment(ref provider.asked);
                if (provider.RedirectTo is not { } target)
                    return context.Response.WriteAsync(provider.Json);
                context.Response.Redirect(target);
                return Task.CompletedTask;
            });
            await app.StartAsync();
            return provider;
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
