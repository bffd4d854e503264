using System.Text;
using Voxbase.Capture;

namespace Voxbase.Sideband;

/// <summary>What is to be summarised now.</summary>
/// <param name="ItemIds">The provider's items that the summary replaces, in their order; an older summary is among them.</param>
/// <param name="Transcript">What they say, a line a turn.</param>
/// <param name="Report">The response whose usage showed the need: one report asks once.</param>
internal sealed record ContextNeed(IReadOnlyList<string> ItemIds, string Transcript, string Report)
{
    private const int Context32K = 28_224;
    private const int Context128K = 96_000;

    /// <summary>The id of the item that will stand for them.</summary>
    public string SummaryId => ContextSummary.IdFor(Report);

    /// <summary>
    /// Whether a conversation needs upkeep, by what was recorded of it and nothing else. Null when its last response read less than
    /// <see cref="ContextUpkeepOptions.Ratio"/> of the limit, or when there is nothing but the last turns.
    /// </summary>
    public static ContextNeed? Of(OpenAiRealtimeReader reader, ContextUpkeepOptions options)
    {
        if (LastReport(reader) is not { Usage.Input: { } input } report || input < options.Ratio * Limit(report.Model ?? reader.Session.Model, options))
            return null;
        var items = reader.ContextItems();
        var cut = Cut(items, options.KeepTurns);
        var old = items.Take(cut).ToList();
        if (old.Count(item => item.Role is not null) < 2)
            return null;
        return new ContextNeed([.. old.Select(item => item.Id)], Transcribe(old, reader.Session.Summary), report.ResponseId);
    }

    /// <summary>The most input tokens of a model: its context less what it may answer.</summary>
    public static int Limit(string? model, ContextUpkeepOptions options) =>
        options.MaxInputTokens > 0 ? options.MaxInputTokens
        : model is not null && model.StartsWith("gpt-realtime-2", StringComparison.Ordinal) && !model.StartsWith("gpt-realtime-20", StringComparison.Ordinal) ? Context128K
        : Context32K;

    // What a response out of band read says nothing about the context, nor what one read before the last summary about it now.
    private static CapturedResponse? LastReport(OpenAiRealtimeReader reader)
    {
        var responses = reader.Snapshot().Responses;
        for (var i = responses.Count - 1; i >= 0; i--)
        {
            if (responses[i] is { OutOfBand: false, Usage.Input: not null } && responses[i].Ordinal > reader.SummaryOrdinal)
                return responses[i];
        }

        return null;
    }

    // The last turns stay, from a user's turn on: a call of a tool is not torn from its result, nor an answer from its question.
    private static int Cut(IReadOnlyList<ContextItem> items, int keepTurns)
    {
        var cut = items.Count;
        for (var kept = 0; cut > 0 && kept < keepTurns; cut--)
            kept += items[cut - 1].Role is not null ? 1 : 0;
        while (cut > 0 && items[cut].Role != "user")
            cut--;
        return cut;
    }

    private static string Transcribe(List<ContextItem> items, string? summary)
    {
        var transcript = new StringBuilder();
        if (summary is not null && items.Exists(item => ContextSummary.IsSummary(item.Id)))
            transcript.Append("earlier: ").AppendLine(summary);
        foreach (var item in items)
        {
            if (item.Tool is not null)
                transcript.Append("tool called: ").AppendLine(item.Tool);
            else if (item.Role is not null && !string.IsNullOrWhiteSpace(item.Text))
                transcript.Append(item.Role).Append(": ").AppendLine(item.Text.ReplaceLineEndings(" "));
        }

        return transcript.ToString();
    }
}
