namespace Voxbase.AspNetCore.Tests;

public sealed class ServerKeysTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly string home = Path.Combine(Path.GetTempPath(), $"voxbase-keys-{Guid.NewGuid():n}");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_keys_hold_for_ten_years_and_name_their_roles()
    {
        var keys = Keys();
        var clock = new Clock(Now);
        using var tokens = new Tokens(new TokensOptions { Secret = keys.Secret, RememberFor = TimeSpan.Zero }, clock);
        (await tokens.VerifyAsync(keys.AnonKey, Cancel)).Role.ShouldBe("anon");
        (await tokens.VerifyAsync(keys.ServiceRoleKey, Cancel)).IsService.ShouldBeTrue();
        clock.Now = Now.AddYears(10).AddSeconds(-1);
        await tokens.VerifyAsync(keys.ServiceRoleKey, Cancel);
        clock.Now = Now.AddYears(10).AddSeconds(30);
        (await Should.ThrowAsync<VoxbaseException>(async () => await tokens.VerifyAsync(keys.ServiceRoleKey, Cancel))).Code.ShouldBe("token_expired");
    }

    [Fact]
    public void A_second_start_reads_the_same_keys()
    {
        var first = Keys();
        var second = Keys(time: new Clock(Now.AddYears(1)));
        (second.Secret, second.AnonKey, second.ServiceRoleKey).ShouldBe((first.Secret, first.AnonKey, first.ServiceRoleKey));
    }

    [Fact]
    public async Task Processes_that_start_at_once_agree()
    {
        for (var round = 0; round < 10; round++)
        {
            var folder = Path.Combine(home, round.ToString());
            var all = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(
                () => ServerKeys.ReadOrCreate(folder, secretVariable: null, options: null, new Clock(Now)).Secret, Cancel)));
            all.Distinct().Count().ShouldBe(1);
            Directory.GetFiles(folder).Select(Path.GetFileName).ShouldBe(["keys.json"], "nothing is left behind");
        }
    }

    [Fact]
    public void Only_the_owner_reads_the_file()
    {
        if (OperatingSystem.IsWindows())
            return;
        Keys();
        File.GetUnixFileMode(Path.Combine(home, "keys.json")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public void The_variable_goes_before_the_file_and_leaves_none()
    {
        var secret = new string('x', 32);
        var keys = Keys(secret);
        keys.Secret.ShouldBe(secret);
        Directory.Exists(home).ShouldBeFalse();
        Keys(secret, new Clock(Now.AddMonths(3))).ServiceRoleKey.ShouldBe(keys.ServiceRoleKey);
    }

    [Fact]
    public void A_short_secret_is_refused_and_not_shown()
    {
        var error = Should.Throw<VoxbaseException>(() => Keys("too short to sign"));
        error.Code.ShouldBe("jwt_secret_too_short");
        error.Message.ShouldNotContain("too short to sign");
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""{"jwt_secret":"short","created_at":"2026-05-01T00:00:00Z"}""")]
    [InlineData("""{"jwt_secret":"0123456789abcdef0123456789abcdef","created_at":"yesterday"}""")]
    [InlineData("""{"jwt_secret":12345678901234567890123456789012345,"created_at":"2026-05-01T00:00:00Z"}""")]
    public void A_damaged_file_is_told_and_kept(string content)
    {
        Directory.CreateDirectory(home);
        var path = Path.Combine(home, "keys.json");
        File.WriteAllText(path, content);
        Should.Throw<VoxbaseException>(() => Keys()).Code.ShouldBe("keys_file_unusable");
        File.ReadAllText(path).ShouldBe(content);
    }

    [Fact]
    public async Task The_keys_pass_where_audience_and_issuer_are_asked()
    {
        var options = new TokensOptions { Audience = "voxbase", Issuer = "https://id.example.org" };
        var keys = ServerKeys.ReadOrCreate(home, secretVariable: null, options, new Clock(Now));
        options.Secret = keys.Secret;
        using var tokens = new Tokens(options, new Clock(Now));
        (await tokens.VerifyAsync(keys.ServiceRoleKey, Cancel)).IsService.ShouldBeTrue();
    }

    public void Dispose()
    {
        if (Directory.Exists(home))
            Directory.Delete(home, recursive: true);
    }

    private ServerKeys Keys(string? variable = null, TimeProvider? time = null) =>
        ServerKeys.ReadOrCreate(home, variable, options: null, time ?? new Clock(Now));
}
