using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Voxbase.Data;

namespace Voxbase.LiveKit;

/// <summary>
/// Asks LiveKit about calls of which nothing was heard for a while: a webhook is delivered at most once. What it answers becomes
/// evidence like any event, and is read like one. Also clears away what a process left that died while it started a call.
/// </summary>
public sealed class LiveKitReconciler(
    Database database, LiveKitRooms rooms, LiveKitCalls calls, LiveKitInbox inbox, VoxbaseOptions options, TimeProvider time)
{
    internal const string StuckSql =
        """
        select id, session_id, room_name
        from vox.conversations
        where status in ('pending', 'active') and metadata ?| array['livekit', 'sideband'] and metadata ? 'livekit' and room_name is not null and updated_at < $1 and id > $2
        order by id
        limit $3
        """;

    // An ended call whose recording is not told to have ended.
    internal const string RecordingSql =
        """
        select r.provider_id, c.room_name, c.session_id
        from vox.recordings r
        join vox.conversations c on c.id = r.conversation_id
        where r.source = 'egress' and r.status in ('starting', 'active', 'ending') and r.updated_at < $1 and c.session_id is not null
        order by r.conversation_id, r.id
        limit $2
        """;

    internal const string PresentSql =
        """
        select id
        from vox.participants
        where conversation_id = $1 and left_at is null
        """;

    // Rooms of ours that are open although their calls were ended: LiveKit was away when it was to close them.
    internal const string EndedSql =
        """
        select room_name
        from vox.conversations
        where room_name = any($1) and status in ('completed', 'failed') and room_name = 'call_' || replace(id::text, '-', '')
        """;

    private const int AtOnce = 100;

    /// <summary>Asks about every call that looks stuck. Safe to run at once on many servers.</summary>
    /// <returns>How many were asked about, and of how many something had changed unheard.</returns>
    /// <exception cref="VoxbaseException"><c>livekit_not_configured</c>, <c>livekit_unavailable</c>, <c>livekit_refused</c>.</exception>
    public async Task<(int Asked, int Changed)> RunOnceAsync(CancellationToken cancellationToken = default)
    {
        var before = time.GetUtcNow() - options.LiveKit.ReconcileAfter;
        var (asked, changed, after) = (0, 0, Guid.Empty);
        while (true)
        {
            var stuck = await StuckAsync(before, after, cancellationToken);
            if (stuck.Count > 0)
            {
                after = stuck[^1].Id;
                asked += stuck.Count;
                changed += await AskAsync(stuck, cancellationToken);
            }

            if (stuck.Count < AtOnce)
                break;
        }

        changed += await AskAboutRecordingsAsync(before, cancellationToken);
        changed += await CloseEndedAsync(cancellationToken);
        return (asked, changed);
    }

    private async Task<int> CloseEndedAsync(CancellationToken cancellationToken)
    {
        var open = await rooms.ListAsync(null, cancellationToken);
        var ended = await database.RunAsync(
            Caller.Service,
            [new Statement(EndedSql, Parameter.Texts(open, room => room.Name))],
            static async (results, ct) =>
            {
                var names = new List<string>();
                while (await results.ReadAsync(ct))
                    names.Add(results.GetString(0));
                return names;
            },
            cancellationToken);
        foreach (var name in ended)
            await rooms.DeleteAsync(name, cancellationToken);
        return ended.Count;
    }

    private async Task<int> AskAsync(List<Stuck> stuck, CancellationToken cancellationToken)
    {
        var open = (await rooms.ListAsync([.. stuck.Select(call => call.Room).Distinct()], cancellationToken)).ToLookup(room => room.Name);
        var changed = 0;
        foreach (var call in stuck)
        {
            if (call.Sid is null)
            {
                // It was being started, and whoever did so is gone: nobody was given its token.
                if (call.Room == LiveKitInbox.RoomNameOf(call.Id))
                {
                    await calls.UndoAsync(call.Id, call.Room);
                    changed++;
                }

                continue;
            }

            var isOpen = open[call.Room].Any(room => room.Sid == call.Sid);
            var told = new JsonObject { ["roomGone"] = !isOpen };
            if (isOpen)
            {
                JsonElement present;
                try
                {
                    present = await rooms.ParticipantsJsonAsync(call.Room, cancellationToken);
                }
                catch (VoxbaseException e) when (e.Error == LiveKitErrors.RoomNotFound)
                {
                    // Closed between the two questions; the next run finds it gone.
                    continue;
                }

                var listed = LiveKitJson.Items(present, "participants").ToList();
                if (!await IsNewsAsync(call.Id, listed, cancellationToken))
                    continue;
                told["participants"] = new JsonArray([.. listed.Select(participant => JsonNode.Parse(participant.GetRawText()))]);
            }

            await TellAsync(call.Room, call.Sid, told, cancellationToken);
            changed++;
        }

        return changed;
    }

    private async Task<int> AskAboutRecordingsAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        var open = await database.RunAsync(
            Caller.Service,
            [new Statement(RecordingSql, Parameter.Time(before), Parameter.Integer(AtOnce))],
            static async (results, ct) =>
            {
                var rows = new List<(string EgressId, string? Room, string Sid)>();
                while (await results.ReadAsync(ct))
                {
                    var at = new RowReader(results);
                    rows.Add((at.Text()!, at.Text(), at.Text()!));
                }

                return rows;
            },
            cancellationToken);
        var changed = 0;
        foreach (var (egressId, room, sid) in open)
        {
            var told = await rooms.RecordingsJsonAsync(null, egressId, cancellationToken);
            // One that LiveKit no longer knows failed, as far as anybody can tell.
            var egress = told.Count > 0
                ? JsonNode.Parse(told[0].GetRawText())!.AsObject()
                : new JsonObject { ["egressId"] = egressId, ["status"] = "EGRESS_ABORTED", ["error"] = "LiveKit no longer knows this egress" };
            if (LiveKitJson.Enum(JsonElement.Parse(egress.ToJsonString()), "status", LiveKitJson.EgressStatuses) is "starting" or "active" or "ending" or null)
                continue;
            LiveKitSecrets.Remove(egress);
            await TellAsync(room, sid, new JsonObject { ["egresses"] = new JsonArray(egress) }, cancellationToken);
            changed++;
        }

        return changed;
    }

    // Whether LiveKit names others than those who are known to be there.
    private async Task<bool> IsNewsAsync(Guid conversationId, List<JsonElement> listed, CancellationToken cancellationToken)
    {
        var known = await database.RunAsync(
            Caller.Service,
            [new Statement(PresentSql, Parameter.Uuid(conversationId))],
            static async (results, ct) =>
            {
                var ids = new HashSet<Guid>();
                while (await results.ReadAsync(ct))
                    ids.Add(results.GetGuid(0));
                return ids;
            },
            cancellationToken);
        return !known.SetEquals(listed.Select(p => LiveKitJson.Text(p, "sid")).OfType<string>().Select(sid => Capture.CaptureRows.IdOf(conversationId, "participant", sid)));
    }

    private Task TellAsync(string? room, string sid, JsonObject told, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        told["event"] = LiveKitEvent.Reconciled;
        told["id"] = $"reconciled_{Guid.CreateVersion7(now):n}";
        told["createdAt"] = now.ToUnixTimeSeconds();
        told["room"] = new JsonObject { ["sid"] = sid, ["name"] = room };
        var payload = told.ToJsonString();
        return inbox.AcceptAsync(LiveKitEvent.Of(LiveKitEvent.KeyOf(payload), payload), payload, cancellationToken);
    }

    private Task<List<Stuck>> StuckAsync(DateTimeOffset before, Guid after, CancellationToken cancellationToken) => database.RunAsync(
        Caller.Service,
        [new Statement(StuckSql, Parameter.Time(before), Parameter.Uuid(after), Parameter.Integer(AtOnce))],
        static async (results, ct) =>
        {
            var rows = new List<Stuck>();
            while (await results.ReadAsync(ct))
            {
                var at = new RowReader(results);
                rows.Add(new Stuck(at.Uuid()!.Value, at.Text(), at.Text()!));
            }

            return rows;
        },
        cancellationToken);

    private sealed record Stuck(Guid Id, string? Sid, string Room);
}

/// <summary>Reads deliveries as they come (<see cref="LiveKitInbox.RunOnceAsync"/>), and those that another server left.</summary>
internal sealed class LiveKitInboxJob(LiveKitInbox inbox, TimeProvider time, ILogger<LiveKitInboxJob> logger) : BackgroundService
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await inbox.RunOnceAsync(stoppingToken);
                await inbox.WaitAsync(LookAgain, stoppingToken);
            }
            catch (VoxbaseException e)
            {
                Log.ReadingFailed(logger, e.Code);
                await Task.Delay(TimeSpan.FromSeconds(1), time, stoppingToken);
            }
        }
    }
}

/// <summary>Runs <see cref="LiveKitReconciler.RunOnceAsync"/> as often as the options say.</summary>
internal sealed class LiveKitReconcilerJob(LiveKitReconciler reconciler, VoxbaseOptions options, TimeProvider time, ILogger<LiveKitReconcilerJob> logger)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.LiveKit is not { HasKey: true, Url: not null } || options.LiveKit.ReconcileEvery == TimeSpan.Zero)
            return;
        using var timer = new PeriodicTimer(options.LiveKit.ReconcileEvery, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                var (asked, changed) = await reconciler.RunOnceAsync(stoppingToken);
                if (changed > 0)
                    Log.Reconciled(logger, asked, changed);
            }
            catch (VoxbaseException e)
            {
                Log.ReconcilingFailed(logger, e.Code);
            }
        }
    }
}
