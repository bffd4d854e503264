using System.Text;

namespace Voxbase;

/// <summary>Whose tokens are believed. With neither a secret nor keys, none is.</summary>
public sealed class TokensOptions
{
    /// <summary>
    /// The secret for tokens signed with HS256, at least 32 bytes of UTF-8. Whoever knows it can be anybody, so it is never logged
    /// or printed. Null (default): no such token is believed; the server sets the one of <see cref="ServerKeys"/>.
    /// </summary>
    public string? Secret { get; set; }

    /// <summary>
    /// Where an identity provider's public keys are, for tokens signed with RS256 or ES256: a JWKS file, or an <c>https://</c> or
    /// <c>http://</c> address. The role that the provider writes into a token is believed, <c>service_role</c> included. Default null.
    /// </summary>
    public string? Jwks { get; set; }

    /// <summary>The audience that a token must be for (<c>aud</c>, a text or one of several). Null (default): not asked.</summary>
    public string? Audience { get; set; }

    /// <summary>The issuer that a token must come from (<c>iss</c>). Null (default): not asked.</summary>
    public string? Issuer { get; set; }

    /// <summary>How far the clocks of issuer and server may differ. From 0 to 5 minutes; default 30 seconds.</summary>
    public TimeSpan Leeway { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a verified token is believed without looking at its signature again; never past its expiry. Longer saves work,
    /// shorter notices a withdrawn key sooner. From 0 (each time) to 1 hour; default 1 minute.
    /// </summary>
    public TimeSpan RememberFor { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How many verified tokens are remembered. From 2 to 1,000,000; default 10,000, some 10 MB.</summary>
    public int RememberedTokens { get; set; } = 10_000;

    /// <summary>How old the keys of <see cref="Jwks"/> may get before they are read again. From 1 second to 1 day; default 10 minutes.</summary>
    public TimeSpan JwksMaxAge { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// The least time between two readings of <see cref="Jwks"/>, however many tokens name a key that is not there. From 0 to 1 hour;
    /// default 10 seconds.
    /// </summary>
    public TimeSpan JwksMinInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long one reading of <see cref="Jwks"/> may take. From 100 milliseconds to 1 minute; default 5 seconds.</summary>
    public TimeSpan JwksTimeout { get; set; } = TimeSpan.FromSeconds(5);

    internal void Validate(Action<string> fail)
    {
        // Its length only: a message must not hold a secret.
        if (Secret is not null && Encoding.UTF8.GetByteCount(Secret) < Tokens.MinSecretBytes)
            fail($"Tokens.Secret must have at least {Tokens.MinSecretBytes} bytes (has {Encoding.UTF8.GetByteCount(Secret)})");
        if (Jwks is not null && string.IsNullOrWhiteSpace(Jwks))
            fail("Tokens.Jwks must be a file or an http or https address (was empty)");
        if (Jwks?.Contains("://", StringComparison.Ordinal) == true
            && !(Uri.TryCreate(Jwks, UriKind.Absolute, out var address) && address.Scheme is "http" or "https"))
        {
            fail($"Tokens.Jwks must be a file or an http or https address (was '{Jwks}')");
        }

        NotEmpty(Audience, nameof(Audience));
        NotEmpty(Issuer, nameof(Issuer));
        Range(Leeway, TimeSpan.Zero, TimeSpan.FromMinutes(5), nameof(Leeway));
        Range(RememberFor, TimeSpan.Zero, TimeSpan.FromHours(1), nameof(RememberFor));
        if (RememberedTokens is < 2 or > 1_000_000)
            fail($"Tokens.{nameof(RememberedTokens)} must be between 2 and 1000000 (was {RememberedTokens})");
        Range(JwksMaxAge, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), nameof(JwksMaxAge));
        Range(JwksMinInterval, TimeSpan.Zero, TimeSpan.FromHours(1), nameof(JwksMinInterval));
        Range(JwksTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1), nameof(JwksTimeout));

        void NotEmpty(string? value, string name)
        {
            if (value is { Length: 0 })
                fail($"Tokens.{name} must be null or a text (was empty)");
        }

        void Range(TimeSpan value, TimeSpan low, TimeSpan high, string name)
        {
            if (value < low || value > high)
                fail($"Tokens.{name} must be between {low} and {high} (was {value})");
        }
    }
}
