using System.Diagnostics.CodeAnalysis;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Spending;

public sealed class PriceBookTests(TestCluster cluster)
{
    private static readonly DateTimeOffset May = new(2026, 5, 1, 0, 0, 0, TimeSpan.Zero);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_most_specific_price_wins()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await SetAsync(db, ("*", 1), ("voice-*", 2), ("voice-2*", 3), ("voice-2.5", 4), ("/voice-[0-9]+/", 5), ("/other-[a-z]+/", 6), ("/o[a-z]+-[a-z]+/", 7), ("/[a-z]+-alpha/", 8));

        await ShouldCostAsync(db, "voice-2.5", 4, "the exact name before every pattern");
        await ShouldCostAsync(db, "voice-2.7", 3, "the longest prefix");
        await ShouldCostAsync(db, "voice-1", 2, "a prefix before an expression");
        await ShouldCostAsync(db, "unheard", 1, "the prefix of nothing is for all");
        await ShouldCostAsync(db, "VOICE-1", 1, "names are told apart by case");
    }

    [Fact]
    public async Task Of_expressions_the_longest_wins_and_the_first_by_name_of_equally_long_ones()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await SetAsync(db, ("/v-[0-9]+/", 1), ("/v-[0-9]+x?/", 2), ("/(a|b)c/", 3), ("/[ab]c+/", 4));

        await ShouldCostAsync(db, "v-7", 2, "the longest");
        await ShouldCostAsync(db, "ac", 3, "( comes before [");
        await ShouldCostAsync(db, "acc", 4, "the whole name must match");
        await ShouldCostAsync(db, "xac", null, "the whole name must match");
        await ShouldCostAsync(db, "v-7y", null, "the whole name must match");
    }

    [Fact]
    public async Task A_price_of_this_installation_wins_over_a_shipped_one_of_the_same_key_and_the_latest_that_has_begun_holds()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await db.Prices.SetAsync(Caller.Service, New("gpt-realtime", 7, May) with { Provider = "openai", Meter = Meters.InputAudio }, cancellationToken: Cancel);
        await db.Prices.SetAsync(Caller.Service, New("gpt-realtime", 9, May.AddMonths(1)) with { Provider = "openai", Meter = Meters.InputAudio }, cancellationToken: Cancel);

        (await CostAsync(db, "gpt-realtime", Meters.InputAudio, "openai", May.AddTicks(-10))).ShouldBe(0.000032m, "before it holds");
        (await CostAsync(db, "gpt-realtime", Meters.InputAudio, "openai", May)).ShouldBe(7);
        (await CostAsync(db, "gpt-realtime", Meters.InputAudio, "openai", May.AddMonths(1).AddTicks(-10))).ShouldBe(7);
        (await CostAsync(db, "gpt-realtime", Meters.InputAudio, "openai", May.AddYears(3))).ShouldBe(9);
        (await CostAsync(db, "gpt-realtime", Meters.InputText, "openai", May)).ShouldBe(0.000004m, "another meter");
        (await CostAsync(db, "gpt-realtime", Meters.InputAudio, "azure", May)).ShouldBeNull("another provider");
    }

    // PostgreSQL matches, .NET vouches for it: whatever the language lets through means the same to both.
    [Fact]
    [SuppressMessage("Security", "CA5394", Justification = "A seed that can be repeated.")]
    public async Task An_expression_means_to_PostgreSQL_what_it_means_to_NET()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var seed = Environment.TickCount;
        var random = new Random(seed);
        string[] pieces = ["a", "b", "-", ".", @"\.", @"\d", "[ab]", "[^a-]", "[0-9.]", "(", ")", "|", "?", "*", "+", "7"];
        var patterns = new List<string>();
        while (patterns.Count < 150)
        {
            var pattern = "/" + string.Concat(Enumerable.Range(0, random.Next(1, 9)).Select(_ => pieces[random.Next(pieces.Length)])) + "/";
            if (ModelPattern.Fault(pattern) is null)
                patterns.Add(pattern);
        }

        const string alphabet = "ab-.7";
        string[] names = [.. Enumerable.Range(0, 200).Select(_ => string.Concat(Enumerable.Range(0, random.Next(1, 7)).Select(_ => alphabet[random.Next(alphabet.Length)]))).Distinct()];
        foreach (var pattern in patterns)
        {
            var matched = (string[])(await db.ScalarAsync(
                Caller.Service,
                "select coalesce(array_agg(n order by n collate \"C\"), '{}') from unnest($1) n where n ~ ('^(?:' || substr($2, 2, length($2) - 2) || ')$')",
                Parameter.Texts(names, n => n), Parameter.Text(pattern)))!;
            var regex = ModelPattern.Compile(pattern);
            string.Join(" ", matched).ShouldBe(string.Join(" ", names.Where(name => regex.IsMatch(name)).Order(StringComparer.Ordinal)), $"{pattern} (seed {seed})");
        }
    }

    // The length is what the database itself must accept in a moment: the worst that the language can say.
    [Theory]
    [InlineData("/(a+)+/")]
    [InlineData("/(a|a)*b/")]
    [InlineData("/((((((a*)*)*)*)*)*)*b/")]
    [InlineData("/(a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*)*b/")]
    public async Task An_expression_that_would_backtrack_for_ever_is_matched_like_any_other(string pattern)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await SetAsync(db, (pattern, 1));
        (await CostAsync(db, new string('a', 5_000) + "!")).ShouldBeNull();
        (await CostAsync(db, "aaa" + (pattern.EndsWith("b/", StringComparison.Ordinal) ? "b" : ""))).ShouldBe(1);
    }

    [Theory]
    [InlineData("/(a{1000}){1000}/")]
    [InlineData("/a{2}/")]
    [InlineData(@"/(a)\1/")]
    [InlineData("/(?=a)a/")]
    [InlineData("/(?i)a/")]
    [InlineData("/(?>a+)b/")]
    [InlineData(@"/\w+/")]
    [InlineData("/[[:alpha:]]+/")]
    [InlineData("/a**/")]
    [InlineData("/(a/")]
    [InlineData("/a)/")]
    [InlineData("/[z-a]/")]
    [InlineData("/*/")]
    [InlineData("//")]
    [InlineData("/a b/")]
    [InlineData("/ä/")]
    [InlineData("a*b")]
    [InlineData("")]
    [InlineData("two words")]
    public async Task A_model_that_is_no_pattern_is_refused_by_the_library_and_by_the_database(string model)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var before = await BookAsync(db);
        (await Should.ThrowAsync<VoxbaseException>(() => SetAsync(db, (model, 1)))).Code.ShouldBe("price_invalid");
        (await Should.ThrowAsync<VoxbaseException>(() => db.ExecuteAsync(
            Caller.Service, "insert into vox.prices (provider, model, meter, unit_price_usd, valid_from) values ('acme', $1, 'request', 1, now())",
            Parameter.Text(model)))).Code.ShouldBe("value_invalid");
        (await BookAsync(db)).ShouldBe(before);
    }

    [Fact]
    public async Task An_expression_longer_than_its_bound_is_refused()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await SetAsync(db, ("/" + new string('a', 126) + "/", 1));
        (await Should.ThrowAsync<VoxbaseException>(() => SetAsync(db, ("/" + new string('a', 127) + "/", 1)))).Code.ShouldBe("price_invalid");
    }

    [Fact]
    public async Task Prices_are_set_all_or_none_and_every_fault_is_told()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var before = await BookAsync(db);
        var error = await Should.ThrowAsync<VoxbaseException>(() => db.Prices.ImportAsync(
            Caller.Service,
            [New("m1", 1, May), New("m2", -1, May), New("m3", 1, May) with { Meter = "apples" }, New("m4", 1, May) with { Per = 0 }, New("m5", 0.0000000001m, May), New("m6", 1, May) with { Meter = Meters.InputUnsplit }],
            new PriceImport { Place = i => $"line {i + 2}" },
            Cancel));
        error.Code.ShouldBe("price_invalid");
        error.Message.ShouldBe("line 3: unit_price_usd must not be negative (was -1)");
        error.Details!.Split('\n').Select(line => line.Split(':')[0]).ShouldBe(["line 4", "line 5", "line 6", "line 7"]);
        (await BookAsync(db)).ShouldBe(before);
    }

    [Fact]
    public async Task Another_price_for_the_same_time_is_refused_until_it_is_to_replace_it()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        (await db.Prices.ImportAsync(Caller.Service, [New("m1", 1, May), New("m2", 2, May)], cancellationToken: Cancel)).ShouldBe(new PriceImportResult(2, 0, 0));
        var before = await BookAsync(db);

        (await db.Prices.ImportAsync(Caller.Service, [New("m1", 1, May), New("m2", 2_000_000, May) with { Per = 1_000_000 }], cancellationToken: Cancel))
            .ShouldBe(new PriceImportResult(0, 0, 2), "the same price in other words");
        var error = await Should.ThrowAsync<VoxbaseException>(() => db.Prices.ImportAsync(Caller.Service, [New("m0", 1, May), New("m1", 3, May), New("m2", 4, May)], cancellationToken: Cancel));
        (error.Code, error.Message).ShouldBe(("price_conflict", "$[1]: acme m1 request from 2026-05-01 00:00:00 is 1 per 1 already (was 3 per 1)"));
        error.Details!.ShouldStartWith("$[2]: acme m2");
        (await Should.ThrowAsync<VoxbaseException>(() => db.Prices.ImportAsync(Caller.Service, [New("m9", 1, May), New("m9", 2, May)], cancellationToken: Cancel))).Code.ShouldBe("price_conflict");
        (await Should.ThrowAsync<VoxbaseException>(() => db.Prices.SetAsync(Caller.Service, New("m1", 3, May), cancellationToken: Cancel))).Code.ShouldBe("price_conflict");
        (await db.Prices.ImportAsync(Caller.Service, [New("m0", 1, May), New("m1", 3, May)], new PriceImport { Replace = true, DryRun = true }, Cancel)).ShouldBe(new PriceImportResult(1, 1, 0));
        (await db.Prices.ListAsync(Caller.Service, Cancel)).ShouldNotContain(price => price.Model == "m0" || (price.Model == "m1" && price.UnitPriceUsd != 1));
        (await CostAsync(db, "m1")).ShouldBe(1);

        await db.Prices.SetAsync(Caller.Service, New("m1", 3, May), replace: true, Cancel);
        (await CostAsync(db, "m1")).ShouldBe(3);
        before.ShouldNotBe(await BookAsync(db));
    }

    [Fact]
    public async Task Only_admins_set_prices_and_each_leaves_a_row_in_the_audit_log()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (user, admin) = (await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true));
        (await Should.ThrowAsync<VoxbaseException>(() => db.Prices.SetAsync(user, New("m1", 1, May), cancellationToken: Cancel))).Code.ShouldBe("forbidden");
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.prices where provider = 'acme'")).ShouldBe(0L);
        await db.Prices.SetAsync(admin, New("m1", 1, May), cancellationToken: Cancel);
        await db.Prices.SetAsync(admin, New("m1", 2, May), replace: true, Cancel);
        await db.ExecuteAsync(admin, "delete from vox.prices where provider = 'acme'");
        (await db.ScalarAsync(
            Caller.Service,
            "select string_agg(action || ' ' || (metadata ->> 'unit_price_usd')::numeric, ', ' order by id) from vox.audit_log where actor_id = $1", Parameter.Uuid(admin.UserId)))
            .ShouldBe("price.set 1.000000000, price.set 2.000000000, price.delete 2.000000000");
    }

    private static Price New(string model, decimal price, DateTimeOffset from) =>
        new() { Provider = "acme", Model = model, Meter = Meters.Requests, UnitPriceUsd = price, ValidFrom = from };

    private static Task<PriceImportResult> SetAsync(TestDatabase db, params (string Model, decimal Price)[] prices) =>
        db.Prices.ImportAsync(Caller.Service, [.. prices.Select(p => New(p.Model, p.Price, May))], cancellationToken: Cancel);

    private static async Task ShouldCostAsync(TestDatabase db, string model, decimal? price, string because) =>
        (await CostAsync(db, model)).ShouldBe(price, $"{model}: {because}");

    /// <summary>What one unit is charged.</summary>
    private static async Task<decimal?> CostAsync(TestDatabase db, string model, string meter = Meters.Requests, string provider = "acme", DateTimeOffset? at = null)
    {
        var conversation = (await db.Conversations.StartAsync(Caller.Service, new NewConversation(), Cancel)).Id;
        await db.Charges.RecordAsServiceAsync(
            [new NewCharge { Id = Guid.CreateVersion7(), ConversationId = conversation, Stage = "llm", Meter = meter, Provider = provider, Model = model, Quantity = 1, ChargedAt = at ?? May.AddDays(1) }],
            Cancel);
        return (await db.Conversations.GetAsync(Caller.Service, conversation, Cancel)).Charges.ShouldHaveSingleItem().AmountUsd;
    }

    private static async Task<string> BookAsync(TestDatabase db) =>
        string.Join("\n", await db.Prices.ListAsync(Caller.Service, Cancel));
}
