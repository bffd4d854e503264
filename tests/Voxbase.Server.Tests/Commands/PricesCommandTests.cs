using System.Text.Json;
using Voxbase.Server.Commands;

namespace Voxbase.Server.Tests.Commands;

public sealed class PricesCommandTests(SharedHome shared)
{
    private const string Heading = "provider,model,meter,unit_price_usd,per,valid_from,note\n";

    private readonly Cli cli = shared.Cli;

    [Fact]
    public async Task A_file_is_checked_imported_listed_and_imported_again_as_JSON()
    {
        var csv = Heading + "# our contract\nimporter,song-1,tts.characters,12.5,1000000,2026-05-01,\"spring, and\nsummer\"\nimporter,/song-[0-9]+/,stt.seconds,0.36,3600,2026-05-01T09:00:00Z,\n";
        (await cli.RunAsync([], csv, "prices", "import", "-", "--dry-run")).Succeeded().Output.ShouldContain("Would set 2 prices: 2 new, 0 replaced, 0 unchanged.");
        (await cli.RunAsync("prices", "list", "--model", "song-1", "--json")).Succeeded().Json.GetArrayLength().ShouldBe(0);
        (await cli.RunAsync([], csv, "prices", "import", "-", "--json")).Succeeded().Json.GetProperty("added").GetInt32().ShouldBe(2);

        var listed = (await cli.RunAsync("prices", "list", "--json")).Succeeded().Output;
        var ours = JsonElement.Parse(listed).EnumerateArray().Where(p => p.GetProperty("provider").GetString() == "importer").ToList();
        ours.Select(p => p.GetProperty("note").GetString()).ShouldBe([null, "spring, and\nsummer"], ignoreOrder: true);
        var again = await cli.RunAsync([], $"[{string.Join(",\n", ours)}]", "prices", "import", "-", "--json");
        again.Succeeded().Json.GetProperty("unchanged").GetInt32().ShouldBe(2);

        var other = csv.Replace("12.5", "13", StringComparison.Ordinal);
        var refused = await cli.RunAsync([], other, "prices", "import", "-", "--json");
        (refused.Code, refused.ErrorJson.GetProperty("code").GetString()).ShouldBe((1, "price_conflict"));
        refused.ErrorJson.GetProperty("message").GetString()!.ShouldStartWith("line 3: importer song-1 tts.characters");
        (await cli.RunAsync([], other, "prices", "import", "-", "--replace")).Succeeded().Output.ShouldContain("1 replaced");
    }

    [Fact]
    public async Task Past_charges_are_re_priced_and_the_book_is_checked()
    {
        var report = (await cli.RunAsync("prices", "reprice", "--from", "2019-01-01", "--to", "2019-02-01", "--dry-run", "--json")).Succeeded().Json;
        (report.GetProperty("dry_run").GetBoolean(), report.GetProperty("conversations").GetInt32(), report.GetProperty("models").GetArrayLength()).ShouldBe((true, 0, 0));
        (await cli.RunAsync("prices", "reprice", "--from", "2019-01-01", "--to", "2019-02-01")).Succeeded().Output.ShouldContain("Every charge of 0 conversations is as the price book says.");
        (await cli.RunAsync("prices", "reprice", "--from", "2019-02-01", "--to", "2019-01-01", "--json")).ErrorJson.GetProperty("code").GetString().ShouldBe("period_invalid");
        (await cli.RunAsync("prices", "reprice", "--from", "2019-02-01")).Code.ShouldBe(2);
        var check = await cli.RunAsync("prices", "check", "--json");
        check.Code.ShouldBeOneOf(0, 1);
        check.Json.ValueKind.ShouldBe(JsonValueKind.Array);
        (await cli.RunAsync("prices", "import", "/no/such/file.csv", "--json")).ErrorJson.GetProperty("code").GetString().ShouldBe("file_unreadable");
    }

    [Fact]
    public void Everything_that_is_wrong_with_a_file_is_told_with_its_line()
    {
        var error = Should.Throw<VoxbaseException>(() => PriceFile.Parse("prices.csv", Heading + "a,m,request,1,1,2026-05-01,fine\na,m,request,cheap,1,2026-05-01,\n\na,\"m\nm\",request,1,many,someday,\na,m,request\n,m,request,1,1,2026-05-01,\n"));
        (error.Code, error.Message).ShouldBe(("price_file_invalid", "prices.csv: line 3: unit_price_usd 'cheap' is not a number such as 0.40"));
        error.Details!.Split('\n').Where(line => line.StartsWith("line ", StringComparison.Ordinal)).Select(line => line.Split(':')[0]).ShouldBe(["line 5", "line 5", "line 7", "line 8"]);

        error = Should.Throw<VoxbaseException>(() => PriceFile.Parse("prices.json", "[\n{\"provider\":\"a\"},\n\n  7,\n{\"provider\":\"a\",\"model\":\"m\",\"meter\":\"request\",\"unit_price_usd\":1,\"valid_from\":\"2026-05-01\",\"colour\":\"red\"}]"));
        error.Message.ShouldBe("prices.json: line 2: it lacks model, meter, unit_price_usd, valid_from");
        error.Details!.Split('\n').Select(line => line.Split(':')[0]).ShouldBe(["line 4", "line 5"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("[{]")]
    [InlineData("[] more")]
    [InlineData("{\"provider\":\"a\"}")]
    [InlineData("provider;model\n")]
    [InlineData("provider,provider\n")]
    [InlineData("provider,model,meter,unit_price_usd,valid_from\n\"a,b\n")]
    public void What_is_no_file_of_prices_is_refused(string text) =>
        Should.Throw<VoxbaseException>(() => PriceFile.Parse("file", text)).Code.ShouldBe("price_file_invalid");

    [Fact]
    public void Prices_that_came_with_Voxbase_are_left_out()
    {
        var file = PriceFile.Parse("list.json", """
            [{"provider":"a","model":"m","meter":"request","unit_price_usd":"1.5","per":60,"valid_from":"2026-05-01T00:00:00Z","note":null,"is_default":true},
             {"provider":"a","model":"m","meter":"request","unit_price_usd":"2.5","per":60,"valid_from":"2026-05-01T00:00:00Z","note":null,"is_default":false}]
            """);
        (file.Prices.ShouldHaveSingleItem().UnitPriceUsd, file.LineOf(0)).ShouldBe((2.5m, 2));
    }
}
