using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Voxbase.Capture;

namespace Voxbase.Tests.Capture;

/// <summary>Logs to test with: the recorded samples beside the project, our own demo, and handmade ones.</summary>
internal static class Logs
{
    /// <summary>A sample by its path under shared/samples. Skips the test where there are none, but not on the build server.</summary>
    public static string Sample(string path)
    {
        if (SampleOrNull(path) is { } file)
        {
            return file;
        }

        if (Environment.GetEnvironmentVariable("CI") == "true")
        {
            Assert.Fail($"The sample {path} is missing (VOXBASE_SAMPLES, or shared/samples in a folder above).");
        }

        Assert.Skip($"The sample {path} is not on this machine.");
        return path;
    }

    public static string? SampleOrNull(string path)
    {
        var root = Environment.GetEnvironmentVariable("VOXBASE_SAMPLES") ?? Above("shared/samples");
        var file = root is null ? null : Path.Combine(root, path);
        return File.Exists(file) ? file : null;
    }

    public static string Demo() => Above("src/Voxbase.Server/Demo/booking.jsonl")!;

    public static async Task<List<LogLine>> LinesAsync(Stream log)
    {
        var lines = new List<LogLine>();
        await foreach (var line in ProviderLog.ReadAsync(log, TestContext.Current.CancellationToken))
        {
            lines.Add(line);
        }

        return lines;
    }

    public static Task<List<LogLine>> LinesAsync(string text) => LinesAsync(new MemoryStream(Encoding.UTF8.GetBytes(text)));

    public static async Task<List<LoggedEvent>> EventsAsync(string file)
    {
        await using var stream = File.OpenRead(file);
        var lines = await LinesAsync(stream);
        lines.ShouldAllBe(line => line.Malformed == null);
        return lines.ConvertAll(line => line.Event!);
    }

    /// <summary>A server event from its JSON, ids and quotes as convenient: single quotes stand for double ones.</summary>
    public static LoggedEvent Server(string json, int? t = null) => Event(EventDirections.Server, json, t);

    public static LoggedEvent Client(string json, int? t = null) => Event(EventDirections.Client, json, t);

    public static LoggedEvent Event(string direction, string json, int? t)
    {
        var payload = json.Replace('\'', '"');
        using var document = JsonDocument.Parse(payload);
        var id = document.RootElement.TryGetProperty("event_id", out var value) ? value.GetString() : null;
        return new(direction, document.RootElement.GetProperty("type").GetString()!, id, t, null, payload);
    }

    public static OpenAiRealtimeReader Reader(IEnumerable<LoggedEvent> events)
    {
        var reader = new OpenAiRealtimeReader();
        var ordinal = 0;
        foreach (var e in events)
        {
            reader.Read(ordinal++, e);
        }

        return reader;
    }

    public static CapturedConversation Read(params IEnumerable<LoggedEvent> events) => Reader(events).Snapshot();

    /// <summary>What a field holds in the events of a type, so that no sample's words need to stand in a test.</summary>
    public static List<string> Values(IEnumerable<LoggedEvent> log, string type, params string[] path) =>
    [
        .. log.Where(e => e.Type == type).Select(e =>
        {
            using var document = JsonDocument.Parse(e.Payload);
            return path.Aggregate(document.RootElement, (element, name) => element.GetProperty(name)).GetString()!;
        }),
    ];

    /// <summary>Everything in a record as text, so that two are compared whole.</summary>
    public static string Whole(CapturedConversation conversation) => JsonSerializer.Serialize(conversation);

    public static LoggedEvent UserItem(string id, string? previous, string? text = null, int? t = null) => Server(
        $$$"""{'type':'conversation.item.added','previous_item_id':{{{Quoted(previous)}}},'item':{'id':'{{{id}}}','type':'message','status':'completed','role':'user','content':[{{{(text is null ? "{'type':'input_audio','transcript':null}" : $$"""{'type':'input_text','text':'{{text}}'}""")}}}]}}""",
        t);

    public static LoggedEvent AssistantItem(string id, string? previous, string text, int? t = null) => Server(
        $$$"""{'type':'conversation.item.done','previous_item_id':{{{Quoted(previous)}}},'item':{'id':'{{{id}}}','type':'message','status':'completed','role':'assistant','content':[{'type':'output_audio','transcript':'{{{text}}}'}]}}""",
        t);

    public static LoggedEvent Done(string id, string usage, string status = "completed", string details = "null", string output = "", string conversation = "'conv_1'") => Server(
        $$$"""{'type':'response.done','response':{'id':'{{{id}}}','status':'{{{status}}}','status_details':{{{details}}},'conversation_id':{{{conversation}}},'output':[{{{output}}}],'usage':{{{usage}}}}}""");

    private static string Quoted(string? id) => id is null ? "null" : $"'{id}'";

    private static string? Above(string path, [CallerFilePath] string here = "")
    {
        // From the binaries, and from the sources where the build put the binaries elsewhere.
        foreach (var start in new[] { AppContext.BaseDirectory, Path.GetDirectoryName(here)! })
        {
            for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            {
                var candidate = Path.Combine(folder.FullName, path);
                if (Path.Exists(candidate))
                {
                    return candidate;
                }
            }
        }

        return null;
    }
}
