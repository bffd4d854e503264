using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Voxbase.Server.Tests.Commands;

public sealed class DataCommandTests(SharedHome shared)
{
    private readonly Cli cli = shared.Cli;

    [Fact]
    public async Task A_token_opens_the_server_to_its_user()
    {
        var token = (await cli.RunAsync("token", "--user", "token@example.org", "--expires", "5m")).Succeeded().Output.Trim();
        using var client = new HttpClient { BaseAddress = new Uri(shared.Url) };

        (await client.GetAsync("/v1/conversations", TestContext.Current.CancellationToken)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        (await client.GetAsync("/v1/conversations", TestContext.Current.CancellationToken)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_token_says_whose_it_is_in_json()
    {
        var token = (await cli.RunAsync("token", "--user", "json@example.org", "--admin", "--json")).Succeeded().Json;

        token.GetProperty("token").GetString()!.Split('.').Length.ShouldBe(3);
        token.GetProperty("role").GetString().ShouldBe("authenticated");
        token.GetProperty("email").GetString().ShouldBe("json@example.org");
        token.GetProperty("user_id").TryGetGuid(out _).ShouldBeTrue();
        token.GetProperty("expires_at").GetDateTimeOffset().ShouldBeGreaterThan(DateTimeOffset.UtcNow.AddMinutes(50));
    }

    [Theory]
    [InlineData("token")]
    [InlineData("token", "--role", "service_role", "--user", "a@example.org")]
    [InlineData("token", "--role", "postgres")]
    [InlineData("token", "--user", "a@example.org", "--expires", "soon")]
    [InlineData("list", "--limit", "0")]
    [InlineData("show", "not-an-id")]
    [InlineData("list", "--limit", "many")]
    [InlineData("list", "--status", "asleep")]
    [InlineData("up", "--port", "70000")]
    [InlineData("up", "--port", "abc")]
    [InlineData("up", "--host", "nowhere.example")]
    [InlineData("up", "--exit-after-demo")]
    [InlineData("prices", "set", "--model", "m")]
    [InlineData("no-such-command")]
    public async Task Wrong_usage_ends_with_2_and_says_why(params string[] arguments)
    {
        var ran = await cli.RunAsync(arguments);

        ran.Code.ShouldBe(2);
        ran.Output.ShouldBeEmpty();
        ran.Error.ShouldContain("hint: ");
        ran.Error.ShouldNotContain("   at ");
    }

    [Fact]
    public async Task An_address_that_is_none_is_refused()
    {
        var ran = await cli.RunAsync("token", "--user", "nobody", "--json");

        ran.Code.ShouldBe(1);
        ran.Output.ShouldBeEmpty();
        ran.ErrorJson.GetProperty("code").GetString().ShouldBe("email_invalid");
    }

    [Fact]
    public async Task Keys_are_the_same_every_time_and_the_secret_only_shows_when_asked_for()
    {
        var keys = (await cli.RunAsync("keys", "--json")).Succeeded().Json;
        var again = (await cli.RunAsync("keys", "--secret", "--json")).Succeeded().Json;

        again.GetProperty("anon").GetString().ShouldBe(keys.GetProperty("anon").GetString());
        again.GetProperty("service_role").GetString().ShouldBe(keys.GetProperty("service_role").GetString());
        keys.GetProperty("jwt_secret").ValueKind.ShouldBe(JsonValueKind.Null);
        again.GetProperty("jwt_secret").GetString()!.Length.ShouldBeGreaterThan(31);
    }

    [Fact]
    public async Task A_price_that_is_set_is_listed_with_its_date()
    {
        (await cli.RunAsync(
            "prices", "set", "--model", "test-tts", "--provider", "acme", "--meter", "tts.characters", "--price", "15.5", "--per", "1000000",
            "--from", "2026-05-01", "--note", "contract")).Succeeded().Output.ShouldContain("$15.50 / 1M");

        var price = (await cli.RunAsync("prices", "list", "--model", "test-tts", "--json")).Succeeded().Json.EnumerateArray().ShouldHaveSingleItem();
        price.GetProperty("unit_price_usd").ToString().ShouldStartWith("15.5");
        price.GetProperty("valid_from").GetDateTimeOffset().ShouldBe(new DateTimeOffset(2026, 5, 1, 0, 0, 0, TimeSpan.Zero));
        price.GetProperty("is_default").GetBoolean().ShouldBeFalse();
        (await cli.RunAsync("prices")).Succeeded().Output.ShouldContain("gpt-realtime");
    }

    [Fact]
    public async Task A_price_of_an_unknown_meter_is_refused()
    {
        var ran = await cli.RunAsync("prices", "set", "--model", "m", "--meter", "apples", "--price", "1", "--json");

        ran.Code.ShouldBe(1);
        ran.ErrorJson.GetProperty("code").GetString().ShouldBe("price_invalid");
    }

    [Fact]
    public async Task A_conversation_that_is_not_there_is_told_with_a_way_out()
    {
        var ran = await cli.RunAsync("show", Guid.CreateVersion7().ToString());

        ran.Code.ShouldBe(1);
        ran.Output.ShouldBeEmpty();
        ran.Error.ShouldStartWith("error conversation_not_found: ");
        ran.Error.ShouldContain("\nhint: ");
    }

    [Fact]
    public async Task A_user_that_is_not_there_has_no_list()
    {
        var ran = await cli.RunAsync("list", "--user", "stranger@example.org", "--json");

        ran.Code.ShouldBe(1);
        ran.ErrorJson.GetProperty("code").GetString().ShouldBe("user_not_found");
    }

    [Fact]
    public async Task Migrations_are_listed_and_running_them_again_changes_nothing()
    {
        var status = (await cli.RunAsync("migrate", "status", "--json")).Succeeded().Json.EnumerateArray().ToList();

        status.Count.ShouldBeGreaterThan(3);
        status.ShouldAllBe(migration => migration.GetProperty("applied_at").ValueKind == JsonValueKind.String);
        (await cli.RunAsync("migrate", "--json")).Succeeded().Json.GetProperty("applied").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task The_schema_is_dumped_to_the_output_or_a_file()
    {
        var file = Path.Combine(cli.Home, "schema.sql");

        var text = (await cli.RunAsync("migrate", "dump")).Succeeded().Output;
        (await cli.RunAsync("migrate", "dump", "--output", file)).Succeeded().Output.ShouldBeEmpty();

        text.ShouldContain("vox.conversations");
        (await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).ShouldBe(text);
        (await cli.RunAsync("migrate", "dump", "--output", "/no/such/folder/schema.sql")).Error.ShouldStartWith("error file_unwritable");
    }

    [Fact]
    public async Task Config_says_what_is_in_force_and_where_it_comes_from()
    {
        var rows = (await cli.RunAsync(
                [("VOXBASE_CONVERSATIONS__APPENDLANES", "7"), ("VOXBASE_JWT_SECRET", new string('s', 40))],
                null,
                "config", "--json", "--database", "Host=db;Username=app;Password=hush;Database=calls"))
            .Succeeded().Json.EnumerateArray().ToDictionary(row => row.GetProperty("name").GetString()!);

        Check("Conversations.AppendLanes", "7", "env");
        Check("Conversations.MaxPageSize", "1000", "default");
        Check("Embedded.Home", cli.Home, "env");
        rows["Database"].GetProperty("source").GetString().ShouldBe("flag");
        rows["Database"].GetProperty("value").GetString()!.ShouldNotContain("hush");
        rows["Tokens.Secret"].GetProperty("value").GetString()!.ShouldNotContain("ssss");
        rows.Values.ShouldAllBe(row => row.GetProperty("description").GetString()!.Length > 10);

        void Check(string name, string value, string source)
        {
            rows[name].GetProperty("value").GetString().ShouldBe(value);
            rows[name].GetProperty("source").GetString().ShouldBe(source);
        }
    }

    [Theory]
    [InlineData("VOXBASE_CONVERSATIONS__APPENDLANES", "many", "setting_invalid")]
    [InlineData("VOXBASE_CONVERSATIONS__APPENDLANES", "65", "setting_invalid")]
    [InlineData("VOXBASE_CONVERSATIONS__APENDLANES", "7", "setting_invalid")]
    [InlineData("VOXBASE_DATABASE", "nonsense", "connection_string_invalid")]
    [InlineData("VOXBASE_DATABASE", "Host=127.0.0.1;Port=1;Username=a;Password=hush;Database=d;Timeout=2", "database_unavailable")]
    public async Task A_setting_that_cannot_be_ends_with_its_error(string variable, string value, string code)
    {
        var ran = await cli.RunAsync([(variable, value)], null, "list", "--json");

        ran.Code.ShouldBe(1);
        ran.ErrorJson.GetProperty("code").GetString().ShouldBe(code);
        ran.Error.ShouldNotContain("hush");
    }

    [Fact]
    public async Task Every_command_explains_itself()
    {
        var help = (await cli.RunAsync("--help")).Succeeded().Output;

        foreach (var command in new[] { "up", "replay", "show", "list", "prices", "token", "keys", "migrate", "config", "bench", "version" })
            help.ShouldContain($"\n  {command}");
        (await cli.RunAsync("replay", "--help")).Succeeded().Output.ShouldContain("Examples:");
        (await cli.RunAsync()).Succeeded().Output.ShouldBe(help);
        (await cli.RunAsync("version")).Succeeded().Output.ShouldBe((await cli.RunAsync("--version")).Output);
    }
}
