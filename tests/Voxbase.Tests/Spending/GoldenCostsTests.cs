using System.Globalization;
using System.Text;
using Voxbase.Capture;
using Voxbase.Testing;

namespace Voxbase.Tests.Spending;

/// <summary>
/// What every model of the shipped price book costs, to the nano-dollar, against tables that were made by hand from the providers' pages
/// and not by the code under test.
/// </summary>
public sealed class GoldenCostsTests(TestCluster cluster)
{
    private const string Folder = "tests/Voxbase.Tests/Spending";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Responses_of_every_realtime_model_cost_what_the_table_says()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var rows = await RowsAsync("golden_responses.csv");
        rows.Count.ShouldBeGreaterThan(100);
        var faults = new List<string>();
        foreach (var (i, row) in rows.Index())
        {
            var log = new MemoryStream(Encoding.UTF8.GetBytes(Log(i, row)));
            var settings = new CaptureSettings { StartedAt = DateTimeOffset.Parse(row["at"] + "T12:00:00Z", CultureInfo.InvariantCulture) };
            var captured = (await db.Captures.ReplayAsync(Caller.Service, log, settings, cancellationToken: Cancel)).ShouldHaveSingleItem().Conversation;
            var expected = (decimal.Parse(row["cost_usd"], CultureInfo.InvariantCulture), int.Parse(row["unpriced"], CultureInfo.InvariantCulture));
            if ((captured.CostUsd, captured.UnpricedCount) != expected)
                faults.Add($"{row["model"]} {row["case"]}: should be {expected}, is {(captured.CostUsd, captured.UnpricedCount)}");
        }

        faults.ShouldBeEmpty();
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Seconds_and_characters_and_tokens_of_speech_cost_what_the_table_says()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var conversation = (await db.Conversations.StartAsync(Caller.Service, new NewConversation(), Cancel)).Id;
        var rows = await RowsAsync("golden_quantities.csv");
        List<NewCharge> charges =
        [
            .. rows.Select(row => new NewCharge
            {
                Id = Guid.CreateVersion7(), ConversationId = conversation, Stage = "session", Meter = row["meter"], Provider = row["provider"], Model = row["model"],
                Quantity = decimal.Parse(row["quantity"], CultureInfo.InvariantCulture), ChargedAt = new DateTimeOffset(2026, 5, 1, 0, 0, 0, TimeSpan.Zero),
            }),
        ];
        await db.Charges.RecordAsServiceAsync(charges, Cancel);
        var amounts = (await db.Conversations.GetAsync(Caller.Service, conversation, Cancel)).Charges.ToDictionary(c => c.Id, c => c.AmountUsd);
        charges.Zip(rows).Select(p => $"{p.Second["model"]} {p.Second["meter"]} {p.Second["quantity"]} {amounts[p.First.Id]:0.000000000}")
            .ShouldBe(rows.Select(row => $"{row["model"]} {row["meter"]} {row["quantity"]} {row["cost_usd"]}"));
    }

    // A price that ships without a row in a table is one that nobody worked out by hand.
    [Fact]
    public async Task Every_shipped_price_is_in_a_table()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var models = (await RowsAsync("golden_responses.csv")).Select(row => ("openai", row["model"], ""))
            .Concat((await RowsAsync("golden_quantities.csv")).Select(row => (row["provider"], row["model"], row["meter"]))).Distinct().ToList();
        (await db.Prices.ListAsync(Caller.Service, Cancel)).Where(price => price.IsDefault)
            .Where(price => !models.Exists(m => m.Item1 == price.Provider && (m.Item3.Length == 0 || m.Item3 == price.Meter) && Matches(price.Model, m.Item2)))
            .Select(price => $"{price.Provider} {price.Model} {price.Meter}").ShouldBeEmpty();
    }

    private static bool Matches(string pattern, string model) =>
        pattern == model || (pattern[^1] == '*' && model.StartsWith(pattern[..^1], StringComparison.Ordinal))
        || (ModelPattern.IsExpression(pattern) && ModelPattern.Compile(pattern).IsMatch(model));

    private static string Log(int i, Dictionary<string, string> row)
    {
        var n = row.Where(field => int.TryParse(field.Value, out _)).ToDictionary(field => field.Key, field => int.Parse(field.Value, CultureInfo.InvariantCulture));
        var cached = n["text_cached"] + n["audio_cached"] + n["image_cached"];
        var details = row["split"] == "no"
            ? ""
            : $$""","cached_tokens_details":{"text_tokens":{{n["text_cached"]}},"audio_tokens":{{n["audio_cached"]}},"image_tokens":{{n["image_cached"]}}}""";
        return
            $$$$$$"""
            {"type":"session.created","event_id":"e1_{{{{{{i}}}}}}","session":{"id":"sess_{{{{{{i}}}}}}","model":"{{{{{{row["model"]}}}}}}"}}
            {"type":"response.created","event_id":"e2_{{{{{{i}}}}}}","response":{"id":"resp_{{{{{{i}}}}}}","status":"in_progress"}}
            {"type":"response.done","event_id":"e3_{{{{{{i}}}}}}","response":{"id":"resp_{{{{{{i}}}}}}","status":"completed","output":[],"usage":{"total_tokens":{{{{{{n["text_in"] + n["audio_in"] + n["image_in"] + n["text_out"] + n["audio_out"]}}}}}},"input_tokens":{{{{{{n["text_in"] + n["audio_in"] + n["image_in"]}}}}}},"output_tokens":{{{{{{n["text_out"] + n["audio_out"]}}}}}},"input_token_details":{"text_tokens":{{{{{{n["text_in"]}}}}}},"audio_tokens":{{{{{{n["audio_in"]}}}}}},"image_tokens":{{{{{{n["image_in"]}}}}}},"cached_tokens":{{{{{{cached}}}}}}{{{{{{details}}}}}}},"output_token_details":{"text_tokens":{{{{{{n["text_out"]}}}}}},"audio_tokens":{{{{{{n["audio_out"]}}}}}}}}}}
            """;
    }

    private static async Task<List<Dictionary<string, string>>> RowsAsync(string file)
    {
        var lines = (await File.ReadAllLinesAsync(Path.Combine(CommittedFile.Root, Folder, file), Cancel)).Where(line => line.Length > 0 && line[0] != '#').ToList();
        var heading = lines[0].Split(',');
        return [.. lines.Skip(1).Select(line => heading.Zip(line.Split(',')).ToDictionary(field => field.First, field => field.Second))];
    }
}
