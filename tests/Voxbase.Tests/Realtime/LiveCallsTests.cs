using System.Text;
using System.Text.Json;
using Voxbase.Capture;
using Voxbase.Realtime;
using Voxbase.Testing;

namespace Voxbase.Tests.Realtime;

/// <summary>Who speaks and what is being said, while it is.</summary>
public sealed class LiveCallsTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, string> Events => new()
    {
        { """{"type":"input_audio_buffer.speech_started","event_id":"e","item_id":"i"}""", "speaking", """{"role":"user","item_id":"i","speaking":true}""" },
        { """{"event_id":"e", "type" : "input_audio_buffer.speech_stopped","item_id":"i"}""", "speaking", """{"role":"user","item_id":"i","speaking":false}""" },
        { """{"type":"response.content_part.added","item_id":"i","part":{"type":"audio"}}""", "speaking", """{"role":"assistant","item_id":"i","speaking":true}""" },
        { """{"type":"response.done","response":{}}""", "speaking", """{"role":"assistant","speaking":false}""" },
        { """{"type":"conversation.item.input_audio_transcription.delta","item_id":"i","delta":"grüß "}""", "transcript", """{"role":"user","item_id":"i","delta":"grüß "}""" },
        { """{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","transcript":"grüß dich"}""", "transcript", """{"role":"user","item_id":"i","text":"grüß dich","final":true}""" },
        { """{"type":"response.audio_transcript.delta","item_id":"i","delta":"Wel"}""", "transcript", """{"role":"assistant","item_id":"i","delta":"Wel"}""" },
        { """{"type":"response.output_audio_transcript.done","item_id":"i","transcript":"Welcome"}""", "transcript", """{"role":"assistant","item_id":"i","text":"Welcome","final":true}""" },
        { """{"type":"session.output_transcript.delta","delta":"ja"}""", "transcript", """{"role":"assistant","delta":"ja"}""" },
    };

    [Theory]
    [MemberData(nameof(Events))]
    public async Task An_event_is_told_to_who_listens(string sent, string name, string payload)
    {
        var channels = new Channels();
        var topic = ChannelTopic.Of(Guid.NewGuid());
        var heard = new TaskCompletionSource<Broadcast>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var live = new LiveCalls(channels);
        var member = channels.Join(topic, "me", hearsBroadcasts: true, happened => heard.TrySetResult((Broadcast)happened));
        // None of these tells anything.
        foreach (var other in new[] { "", "{", "[]", "7", """{"type":7}""", """{"type":"response.output_audio.delta","delta":"AAAA"}""", """{"type":"response.output_audio_transcript.delta"}""", """{"type":"response.done" """ })
            live.Pass(topic, Encoding.UTF8.GetBytes(other));
        live.Pass(topic, Encoding.UTF8.GetBytes(sent));
        var told = await heard.Task.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        (told.Name, Encoding.UTF8.GetString(told.Payload.Span)).ShouldBe((name, payload));
        member.Leave();
    }

    [Fact]
    public async Task A_recorded_call_is_told_as_it_goes_on()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var channels = new Channels();
        await using var live = new LiveCalls(channels);
        await using var recorders = new LiveRecorders(db.Captures, db.Conversations, new CallAdmission(new RunningCalls()), db.Options, db.Time, live: live);
        var user = await db.NewUserAsync();
        var conversation = await db.Conversations.StartAsync(user, new NewConversation { Kind = ConversationKind.Realtime }, Cancel);
        var told = new List<string>();
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var member = channels.Join(ChannelTopic.Of(conversation.Id), "me", hearsBroadcasts: true, happened =>
        {
            told.Add(JsonElement.Parse(((Broadcast)happened).Payload.Span).GetProperty("delta").GetString()!);
            if (told.Count == 3)
                all.TrySetResult();
        });
        var recorder = await recorders.OpenAsync(conversation, cancellationToken: Cancel);
        foreach (var word in new[] { "It ", "rains ", "again." })
            recorder.Record(fromServer: true, Encoding.UTF8.GetBytes($$"""{"type":"response.output_audio_transcript.delta","event_id":"{{Guid.NewGuid()}}","item_id":"i","delta":"{{word}}"}""")).ShouldBeTrue();
        // What a client says it said is no news.
        recorder.Record(fromServer: false, """{"type":"response.output_audio_transcript.delta","item_id":"i","delta":"lie"}"""u8.ToArray()).ShouldBeTrue();
        await all.Task.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        told.ShouldBe(["It ", "rains ", "again."]);
        await recorder.EndAsync(EndReasons.ClientClosed, Cancel);
        member.Leave();
    }
}
