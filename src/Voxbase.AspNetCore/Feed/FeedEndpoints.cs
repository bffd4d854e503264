using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;

namespace Voxbase.AspNetCore;

/// <summary><c>/v1/feed</c> and <c>/v1/conversations/{id}/live</c>: committed changes as they come.</summary>
internal sealed class FeedEndpoints(Feed feed, LiveConversations live, VoxbaseOptions options, IHostApplicationLifetime lifetime, TimeProvider time)
{
    /// <summary>Before the token in a browser's subprotocols.</summary>
    public const string TokenSubprotocol = "voxbase.token.";

    /// <summary>The subprotocol that is answered with.</summary>
    public const string Subprotocol = "voxbase.feed";

    private const int SnapshotTurns = 100;

    private readonly FeedBeats beats = new(options.KeepAliveInterval, time);

    public void Map(VoxbaseRoutes routes)
    {
        routes.At("/v1/feed").GetSocket(FeedAsync, TokenSubprotocol, new Operation("feed.follow", "Committed changes as they come: server-sent events, or a WebSocket when one is asked for")
        {
            Query =
            {
                ["tables"] = (typeof(string), "Which tables, as table or schema.table with commas between; default all of vox."),
                ["conversation"] = (typeof(Guid), "Only what belongs to this conversation."),
                ["user"] = (typeof(Guid), "Only rows whose user_id is this."),
                ["events"] = (typeof(string), "insert, update and delete, with commas between; default all."),
                ["filter"] = (typeof(string), "More conditions as the data API writes them, all of which must hold: role=eq.user,status=not.eq.failed."),
                ["select"] = (typeof(string), "Only these columns and the key, with commas between."),
                ["after"] = (typeof(string), "The position to go on from; the header Last-Event-ID goes before it."),
                ["coalesce"] = (typeof(bool), "Whether a client that cannot keep up gets only the latest change of each row; default false."),
            },
            Answers = { [200] = typeof(FeedMessage) },
            Errors = [FeedErrors.Off, FeedErrors.RequestInvalid, FeedErrors.PositionInvalid, FeedErrors.TooMany],
        });
        routes.At("/v1/conversations/{id}/live").GetSocket(LiveAsync, TokenSubprotocol, new Operation("conversations.live", "A conversation as it stands, and then every change of it: server-sent events, or a WebSocket when one is asked for")
        {
            Query =
            {
                ["turns"] = (typeof(int), "How many of the last turns and function calls the snapshot holds, from 0 to 1,000; default 100."),
                ["after"] = (typeof(string), "The position to go on from, without a snapshot; the header Last-Event-ID goes before it."),
                ["coalesce"] = (typeof(bool), "Whether a client that cannot keep up gets only the latest change of each row; default false."),
            },
            Answers = { [200] = typeof(FeedMessage) },
            Errors = [ConversationErrors.NotFound, FeedErrors.Off, FeedErrors.PositionInvalid, FeedErrors.TooMany],
        });
    }

    private async Task FeedAsync(Request request)
    {
        var query = request.Query("tables", "conversation", "user", "events", "filter", "select", "after", "coalesce");
        var asked = new FeedRequest([.. Entries(query)], After(request, query), query.Flag("coalesce"));
        await StreamAsync(request, asked, snapshot: null);
    }

    private async Task LiveAsync(Request request)
    {
        var query = request.Query("turns", "after", "coalesce");
        var turns = query.Integer("turns") ?? SnapshotTurns;
        if (turns is < 0 or > LiveConversations.MaxTurns)
            throw HttpErrors.QueryInvalid.With($"The parameter 'turns' must be from 0 to {LiveConversations.MaxTurns} (was {turns}).");
        var id = request.ConversationId;
        var caller = request.Caller;
        // Who may not see it is told before anything is streamed.
        await live.SnapshotAsync(caller, id, 0, request.Aborted);
        await StreamAsync(
            request, new FeedRequest(LiveConversations.EntriesOf(id), After(request, query), query.Flag("coalesce")),
            cancellationToken => live.SnapshotAsync(caller, id, turns, cancellationToken));
    }

    private static IEnumerable<FeedEntry> Entries(Query query)
    {
        var changes = FeedChanges.None;
        foreach (var name in (query.Text("events") ?? "insert,update,delete").Split(','))
        {
            changes |= name switch
            {
                "insert" => FeedChanges.Insert,
                "update" => FeedChanges.Update,
                "delete" => FeedChanges.Delete,
                _ => throw HttpErrors.QueryInvalid.With($"The parameter 'events' takes insert, update and delete (was '{Request.Shown(name)}')."),
            };
        }

        var columns = query.Text("select")?.Split(',');
        var filters = query.Text("filter") is { } text ? FeedFilter.Parse(text) : [];
        if (query.Uuid("user") is { } user)
            filters = [.. filters, new FeedFilter("user_id", FeedOperator.Eq, [user.ToString()])];
        var conversation = query.Uuid("conversation");
        foreach (var name in (query.Text("tables") ?? "*").Split(','))
        {
            var dot = name.IndexOf('.', StringComparison.Ordinal);
            var (schema, table) = dot < 0 ? ("vox", name) : (name[..dot], name[(dot + 1)..]);
            if (conversation is not { } id)
            {
                yield return new FeedEntry(schema, table, changes, filters, columns);
                continue;
            }

            // A conversation's own row names it otherwise than its parts do.
            if (table is "*" or "conversations")
                yield return new FeedEntry(schema, "conversations", changes, [.. filters, Is("id", id)], columns);
            if (table != "conversations")
                yield return new FeedEntry(schema, table, changes, [.. filters, Is("conversation_id", id)], columns);
        }

        static FeedFilter Is(string column, Guid id) => new(column, FeedOperator.Eq, [id.ToString()]);
    }

    private static FeedPosition? After(Request request, Query query)
    {
        var text = request.Context.Request.Headers["Last-Event-ID"] is [{ Length: > 0 } header] ? header : query.Text("after");
        return text is null ? null
            : FeedPosition.TryParse(text, out var position) ? position
            : throw FeedErrors.PositionInvalid.With($"'{Request.Shown(text)}' is no position.");
    }

    private async Task StreamAsync(Request request, FeedRequest asked, Func<CancellationToken, Task<LiveSnapshot>>? snapshot)
    {
        var context = request.Context;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        await using var subscription = feed.Subscribe(request.Caller, asked);
        if (!context.WebSockets.IsWebSocketRequest)
        {
            await PumpAsync(subscription, new ServerSentEvents(context), snapshot, ending.Token);
            return;
        }

        var named = context.WebSockets.WebSocketRequestedProtocols.Contains(Subprotocol);
        using var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext { SubProtocol = named ? Subprotocol : null });
        var stream = new FeedSocket(socket);
        var gone = stream.WaitForEndAsync(ending.Token);
        var pump = PumpAsync(subscription, stream, snapshot, ending.Token);
        if (await Task.WhenAny(gone, pump) == gone)
            await ending.CancelAsync();
        await pump;
    }

    private async Task PumpAsync(
        FeedSubscription subscription, FeedStream stream, Func<CancellationToken, Task<LiveSnapshot>>? snapshot, CancellationToken cancellationToken)
    {
        var expiry = ExpiryOf(subscription.Caller);
        LiveSnapshot? taken = null;
        ErrorCode? error = null;
        try
        {
            await stream.FlushAsync(cancellationToken);
            using var pulse = beats.Begin(subscription, expiry);
            while (error is null)
            {
                if (time.GetUtcNow() >= expiry)
                {
                    error = FeedErrors.SessionOver;
                    Tell(stream, subscription, error.With("The token of this stream has expired."));
                    break;
                }

                if (!await subscription.WaitToReadAsync(cancellationToken))
                    break;
                var isQuiet = true;
                for (var i = 0; i < 256 && subscription.TryRead(out var next); i++)
                {
                    isQuiet = false;
                    if (taken is not null && next.Kind == FeedEventKind.Change && taken.Holds(next))
                        continue;
                    // A client that comes back before it had the snapshot wants it then: no position before it.
                    stream.Write(next, isPlaced: next.Kind != FeedEventKind.Error && (snapshot is null || taken is not null || subscription.Request.After is not null));
                    if (snapshot is not null && (next.Kind == FeedEventKind.Resync || (next.Kind == FeedEventKind.Ready && subscription.Request.After is null)))
                        Write(stream, taken = await snapshot(cancellationToken));
                    if (next.Kind == FeedEventKind.Error && next.Error!.Error is var code && code != FeedErrors.PolicyFailed && code != FeedErrors.PolicySlow)
                        error = code;
                }

                if (!isQuiet)
                    await stream.FlushAsync(cancellationToken);
                else if (time.GetUtcNow() < expiry)
                    await stream.BeatAsync(cancellationToken);
                pulse.Felt();
            }

            await stream.FlushAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The client is gone, or the server stops.
        }
        catch (VoxbaseException e)
        {
            error = e.Error;
            Tell(stream, subscription, e);
            await stream.FlushAsync(CancellationToken.None);
        }

        await stream.CloseAsync(error);
    }

    private static void Tell(FeedStream stream, FeedSubscription subscription, VoxbaseException e) =>
        stream.Write(new FeedEvent { Kind = FeedEventKind.Error, Position = subscription.ReadUpTo, Error = e }, isPlaced: false);

    private static void Write(FeedStream stream, LiveSnapshot snapshot) =>
        stream.Write("snapshot", [.. "{\"type\":\"snapshot\","u8, .. snapshot.Json.Span, (byte)'}']);

    private DateTimeOffset ExpiryOf(Caller caller) =>
        JsonElement.Parse(caller.Claims).TryGetProperty("exp", out var exp) && exp.ValueKind == JsonValueKind.Number && exp.TryGetDouble(out var seconds)
            ? DateTimeOffset.UnixEpoch.AddSeconds(seconds) + options.Tokens.Leeway
            : DateTimeOffset.MaxValue;
}

/// <summary>An event of the feed.</summary>
/// <param name="Type"><c>ready</c>, <c>change</c>, <c>progress</c>, <c>resync</c>, <c>error</c>; <c>snapshot</c> of a conversation that is followed live.</param>
/// <param name="Position">Where to go on from.</param>
/// <param name="CommittedAt">When a change was committed.</param>
/// <param name="Schema">The table's schema.</param>
/// <param name="Table">The table.</param>
/// <param name="Event"><c>insert</c>, <c>update</c> or <c>delete</c>.</param>
/// <param name="Record">The new row.</param>
/// <param name="OldRecord">The old key, of a delete and of an update that changed it.</param>
/// <param name="Unchanged">Columns left out of the record because they are large and did not change.</param>
internal sealed record FeedMessage(
    string Type, string Position, DateTimeOffset? CommittedAt, string? Schema, string? Table, string? Event, JsonElement? Record, JsonElement? OldRecord,
    IReadOnlyList<string>? Unchanged);
