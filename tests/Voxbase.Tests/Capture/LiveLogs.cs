using System.Globalization;
using Voxbase.Capture;

namespace Voxbase.Tests.Capture;

/// <summary>Events of handmade Live sessions, in the provider's form.</summary>
internal static class LiveLogs
{
    /// <summary>A call with a delegation, a second turn, usage that grows, and a proper end.</summary>
    public static IReadOnlyList<LoggedEvent> Call(string session = "live_demo") =>
    [
        Started(session, 500),
        Heard("u1", 600, 800, "Is", 1500), Heard("u2", 800, 1400, " the shop open", 2100), Heard("u3", 1400, 1900, " on Sunday?", 2600),
        Delegated("d1", "item_d1", 1900, 2650),
        Said("a1", 2100, 2500, "One moment.", 3200),
        Usage("s1", 7, 4000),
        Logs.Client("{'type':'session.commentary.append','delegation_id':'item_d1','content':'Open ten to four.'}", 5000),
        Said("a2", 4800, 5400, "On Sunday we are open", 5900), Said("a3", 5400, 6100, " from ten to four.", 6500),
        Heard("u4", 6600, 7000, " Thank you.", 7600),
        Usage("s2", 15, 9000), Usage("s3", 15, 12_000), Usage("s4", 21, 15_000),
        Closed("c1", 22, 16_000),
    ];

    public static LoggedEvent Started(string session = "live_demo", int? t = 0) => Logs.Server(
        $$$"""{'type':'session.started','event_id':'e_{{{session}}}','session':{'id':'{{{session}}}','model':'gpt-live-1','expires_at':1791373550,'audio':{'output':{'voice':'marin'}},'delegation':{'type':'client'} } }""", t);

    public static LoggedEvent Heard(string id, int start, int end, string text, int? t = null) => Fragment("input", id, start, end, text, t);

    public static LoggedEvent Said(string id, int start, int end, string text, int? t = null) => Fragment("output", id, start, end, text, t);

    public static LoggedEvent Delegated(string eventId, string id, int offset, int? t = null, string target = "client") => Logs.Server(
        $$$"""{'type':'session.delegation.created','event_id':'{{{eventId}}}','offset_ms':{{{offset}}},'delegation':{'id':'{{{id}}}','type':'delegation','target':'{{{target}}}'}}""", t);

    public static LoggedEvent Usage(string id, decimal seconds, int? t = null) => Logs.Server(
        $$$"""{'type':'session.usage.updated','event_id':'{{{id}}}','usage':{'seconds':{{{seconds.ToString(CultureInfo.InvariantCulture)}}}},'context_window':{'usage_ratio':0.01}}""", t);

    public static LoggedEvent Closed(string id, decimal seconds, int? t = null, string reason = "remote_hangup") => Logs.Server(
        $$$"""{'type':'session.closed','event_id':'{{{id}}}','reason':'{{{reason}}}','usage':{'seconds':{{{seconds.ToString(CultureInfo.InvariantCulture)}}}}}""", t);

    public static LoggedEvent Responses(string id, string inner, int? t = null, string delegation = "item_d1") => Logs.Server(
        $$"""{'type':'response.event','event_id':'{{id}}','delegation_id':'{{delegation}}','event':{{inner}}}""", t);

    public static string Line(LoggedEvent e) =>
        $$"""{"dir":"{{e.Direction}}",{{(e.OffsetMs is { } t ? $"\"t\":{t}," : "")}}"event":{{e.Payload}}}""";

    private static LoggedEvent Fragment(string side, string id, int start, int end, string text, int? t) => Logs.Server(
        $$"""{'type':'session.{{side}}_transcript.delta','event_id':'{{id}}','start_ms':{{start}},'end_ms':{{end}},'delta':'{{text}}'}""", t);
}
