using System.Diagnostics;
using Spectre.Console;
using Voxbase.Capture;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Demo;

/// <summary>
/// The demo: a recorded phone call to a physiotherapist's reception, captured event by event as it would come from the provider, in
/// its own rhythm but faster. Each call of the demo is a conversation of its own.
/// </summary>
internal sealed class DemoCall(Output output, Captures captures)
{
    private const int Speed = 20;
    private const string Resource = "Voxbase.Server.Demo.booking.jsonl";

    // Events closer together than a frame of the display are committed together, as a relay would.
    private static readonly TimeSpan Frame = TimeSpan.FromMilliseconds(25);

    /// <summary>Plays the call and captures it for a user. Where nobody watches, all at once.</summary>
    public async Task<CaptureResult> PlayAsync(Guid userId, CancellationToken cancellationToken)
    {
        var events = await EventsAsync(cancellationToken);
        var settings = new CaptureSettings { UserId = userId };
        await using var capture = await captures.OpenAsync(Caller.Service, $"demo_{Guid.CreateVersion7():n}", settings, cancellationToken);
        if (!output.IsLive)
        {
            await capture.RecordAsync(events, cancellationToken);
            return await captures.FinishAsync(capture, settings, cancellationToken);
        }

        var transcript = new LiveTranscript(output);
        await output.Standard.Status()
            .Spinner(output.Standard.Profile.Capabilities.Unicode ? Spinner.Known.Dots : Spinner.Known.Line)
            .StartAsync("ringing", async status =>
            {
                var clock = Stopwatch.StartNew();
                for (var next = 0; next < events.Count;)
                {
                    var due = TimeSpan.FromMilliseconds((events[next].OffsetMs ?? 0) / Speed) + Frame;
                    if (due > clock.Elapsed)
                        await Task.Delay(due - clock.Elapsed, cancellationToken);
                    var reached = next;
                    while (reached < events.Count && (events[reached].OffsetMs ?? 0) <= clock.ElapsedMilliseconds * Speed)
                        reached++;
                    await capture.RecordAsync(events[next..reached], cancellationToken);
                    next = reached;
                    transcript.Show(capture.Reader.Snapshot(), isOver: next == events.Count);
                    status.Status(Markup.Escape(Doing(events[next - 1])));
                }
            });
        return await captures.FinishAsync(capture, settings, cancellationToken);
    }

    private static async Task<List<LoggedEvent>> EventsAsync(CancellationToken cancellationToken)
    {
        await using var log = typeof(DemoCall).Assembly.GetManifestResourceStream(Resource)!;
        var events = new List<LoggedEvent>();
        await foreach (var line in ProviderLog.ReadAsync(log, cancellationToken))
            events.Add(line.Event!);
        return events;
    }

    private string Doing(LoggedEvent last)
    {
        var elapsed = TimeSpan.FromMilliseconds(last.OffsetMs ?? 0);
        var doing = last.Type switch
        {
            "input_audio_buffer.speech_started" => "the caller speaks",
            "output_audio_buffer.started" => "the agent speaks",
            _ => "on the line",
        };
        return $"{(int)elapsed.TotalMinutes}:{elapsed.Seconds:00} {doing} {output.Signs.Separator} {Speed} times as fast as it was";
    }
}
