using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Voxbase.AspNetCore;

/// <summary>
/// A channel's changes of tables (postgres_changes): one subscription of the feed, as the channel's caller, whose events go out in the protocol's form. With a new
/// caller, or after the feed was lost, it goes on from the last event: nothing is missed in between.
/// </summary>
internal sealed class TableChanges : IAsyncDisposable
{
    // Supabase's clients have been told to expect no more in one record.
    private const int MaxRecordBytes = 1 << 20;
    private const int MaxFieldBytesWhenLarge = 64;

    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(5);
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    // The part that is the same for all who get an event, made once for them.
    private static readonly ConditionalWeakTable<FeedEvent, byte[]> Written = [];

    private readonly ChannelParts parts;
    private readonly Action<ReadOnlyMemory<byte>> send;
    private readonly Action<bool, string> say;
    private readonly List<(long Id, JsonElement Entry)> bindings = [];
    private readonly List<FeedEntry> entries = [];
    private readonly string[] selections;
    private readonly bool isSelective;
    private readonly TaskCompletionSource<string?> live = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource announced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly string? fault;
    private CancellationTokenSource? over;
    private Task running = Task.CompletedTask;
    private FeedPosition? position;

    public TableChanges(ChannelParts parts, IReadOnlyList<JsonElement> asked, Action<ReadOnlyMemory<byte>> send, Action<bool, string> say)
    {
        (this.parts, this.send, this.say) = (parts, send, say);
        foreach (var entry in asked)
        {
            bindings.Add((IdOf(entry), entry));
            try
            {
                entries.Add(EntryOf(entry));
            }
            catch (VoxbaseException e)
            {
                fault ??= Explain(e, entry);
            }
        }

        selections = [.. entries.Select(entry => entry.Columns is null ? "*" : string.Join('\n', entry.Columns.Order(StringComparer.Ordinal)))];
        isSelective = selections.Distinct().Skip(1).Any();
    }

    /// <summary>What the join is answered: the entries as they came, each with its id.</summary>
    public static ReadOnlySpan<byte> Answer(TableChanges? changes)
    {
        if (changes is null)
            return """{"postgres_changes":[]}"""u8;
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer, Relaxed))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("postgres_changes");
            foreach (var (id, entry) in changes.bindings)
            {
                writer.WriteStartObject();
                writer.WriteNumber("id", id);
                if (entry.ValueKind == JsonValueKind.Object)
                {
                    foreach (var property in entry.EnumerateObject())
                    {
                        if (!property.NameEquals("id"))
                            property.WriteTo(writer);
                    }
                }

                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan;
    }

    /// <summary>Follows the tables as a caller; the one before is followed no more.</summary>
    public void Begin(Caller caller)
    {
        var before = StopAsync();
        over = new CancellationTokenSource();
        running = RunAsync(caller, before, over.Token);
    }

    /// <summary>Waits until changes are followed; null when they are, else why not.</summary>
    public async Task<string?> WaitAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        try
        {
            var said = await live.Task.WaitAsync(wait, parts.Time, cancellationToken);
            return said is null ? null : $"RealtimeDisabledForConfiguration: {said}";
        }
        catch (TimeoutException)
        {
            return string.Create(
                CultureInfo.InvariantCulture,
                $"PostgresChangesSubscribeTimeout: Timed out after {wait.TotalMilliseconds:0}ms waiting for the postgres_changes subscription");
        }
    }

    /// <summary>From here on the client may be told: its join is answered.</summary>
    public void Announce() => announced.TrySetResult();

    public async ValueTask DisposeAsync() => await StopAsync();

    private async Task StopAsync()
    {
        if (over is not { } stopping)
            return;
        var stopped = running;
        await stopping.CancelAsync();
        await stopped;
        stopping.Dispose();
    }

    private async Task RunAsync(Caller caller, Task before, CancellationToken cancellationToken)
    {
        await before;
        try
        {
            if (fault is not null)
            {
                live.TrySetResult(fault);
                await announced.Task.WaitAsync(cancellationToken);
                say(false, fault);
                return;
            }

            while (await FollowAsync(caller, cancellationToken))
                await Task.Delay(Retry, parts.Time, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Another caller, or the end of the channel.
        }
        catch (Exception e)
        {
            Log.ChannelFailed(parts.Logger, e.GetType().FullName!);
            say(false, "The changes of tables cannot be followed any more: join again.");
        }
    }

    // True: it may be tried again.
    private async Task<bool> FollowAsync(Caller caller, CancellationToken cancellationToken)
    {
        try
        {
            await using var subscription = parts.Feed.Subscribe(caller, new FeedRequest(entries, position));
            await foreach (var happened in subscription.WithCancellation(cancellationToken))
            {
                switch (happened.Kind)
                {
                    case FeedEventKind.Ready:
                        position ??= happened.Position;
                        live.TrySetResult(null);
                        await announced.Task.WaitAsync(cancellationToken);
                        say(true, "Subscribed to PostgreSQL");
                        break;
                    case FeedEventKind.Change:
                        Send(happened);
                        position = happened.Position;
                        break;
                    case FeedEventKind.Progress:
                        position = happened.Position;
                        break;
                    case FeedEventKind.Resync:
                        position = happened.Position;
                        say(false, $"{happened.Error?.Code ?? "feed_resync"}: {happened.Error?.Message ?? "Changes were missed."} {happened.Error?.Hint}");
                        break;
                    case FeedEventKind.Error:
                        var error = happened.Error!;
                        if (error.Error == FeedErrors.PolicyFailed || error.Error == FeedErrors.PolicySlow)
                        {
                            position = happened.Position;
                            say(false, $"{error.Code}: {error.Message}");
                            break;
                        }

                        throw error;
                }
            }

            return true;
        }
        catch (VoxbaseException e)
        {
            var said = Explain(e, bindings[0].Entry);
            if (e.Error.Kind == ErrorKind.Invalid)
                live.TrySetResult(said);
            // A join that waits is told when its time is over; one that does not is told now.
            if (announced.Task.IsCompleted || e.Error.Kind == ErrorKind.Invalid)
            {
                await announced.Task.WaitAsync(cancellationToken);
                say(false, said);
            }

            return e.Error.Kind != ErrorKind.Invalid;
        }
    }

    // Entries of one table that ask for different columns are one subscription, which gets the columns of all: each is told its own.
    private void Send(FeedEvent happened)
    {
        foreach (var alike in happened.Matches.GroupBy(match => selections[match], StringComparer.Ordinal))
        {
            var isAll = !isSelective || entries[alike.First()].Columns is null;
            Send(alike, isAll ? Written.GetValue(happened, static each => Data(each, null)) : Data(happened, entries[alike.First()].Columns));
        }
    }

    private void Send(IEnumerable<int> matches, byte[] data)
    {
        var buffer = new ArrayBufferWriter<byte>(data.Length + 64);
        using (var writer = new Utf8JsonWriter(buffer, Relaxed))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("ids");
            foreach (var match in matches)
                writer.WriteNumberValue(bindings[match].Id);
            writer.WriteEndArray();
            writer.WritePropertyName("data");
            writer.WriteRawValue(data, skipInputValidation: true);
            writer.WriteEndObject();
        }

        send(buffer.WrittenMemory);
    }

    private static byte[] Data(FeedEvent happened, IReadOnlyList<string>? only)
    {
        // The key comes whatever is asked for.
        var wanted = only is null ? null : happened.Columns.Where(column => column.IsKey || only.Contains(column.Name)).Select(column => column.Name).ToHashSet();
        var isTooLarge = happened.Record.Length + happened.OldRecord.Length > MaxRecordBytes;
        var buffer = new ArrayBufferWriter<byte>(Math.Min(happened.Record.Length, MaxRecordBytes) + 512);
        using (var writer = new Utf8JsonWriter(buffer, Relaxed))
        {
            writer.WriteStartObject();
            writer.WriteString("schema", happened.Schema);
            writer.WriteString("table", happened.Table);
            writer.WriteString("commit_timestamp", happened.CommittedAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            writer.WriteString("type", happened.Change switch { FeedChanges.Insert => "INSERT", FeedChanges.Update => "UPDATE", _ => "DELETE" });
            writer.WriteStartArray("columns");
            foreach (var column in happened.Columns.Where(column => wanted is null || wanted.Contains(column.Name)))
            {
                writer.WriteStartObject();
                writer.WriteString("name", column.Name);
                writer.WriteString("type", column.Type);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            if (happened.Change != FeedChanges.Delete)
                Row("record", happened.Record);
            if (happened.Change != FeedChanges.Insert)
                Row("old_record", happened.OldRecord);
            writer.WritePropertyName("errors");
            if (isTooLarge)
                writer.WriteRawValue("""["Error 413: Payload Too Large"]""", skipInputValidation: true);
            else
                writer.WriteNullValue();
            writer.WriteEndObject();

            void Row(string name, ReadOnlyMemory<byte> row)
            {
                writer.WritePropertyName(name);
                if (row.IsEmpty)
                    writer.WriteRawValue("{}", skipInputValidation: true);
                else if (isTooLarge || wanted is not null)
                    WriteFields(writer, row, isTooLarge ? MaxFieldBytesWhenLarge : int.MaxValue, wanted);
                else
                    writer.WriteRawValue(row.Span, skipInputValidation: true);
            }
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteFields(Utf8JsonWriter writer, ReadOnlyMemory<byte> row, int maxBytes, HashSet<string>? only)
    {
        using var document = JsonDocument.Parse(row);
        writer.WriteStartObject();
        foreach (var field in document.RootElement.EnumerateObject())
        {
            if (only?.Contains(field.Name) != false && Encoding.UTF8.GetByteCount(field.Value.GetRawText()) <= maxBytes)
                field.WriteTo(writer);
        }

        writer.WriteEndObject();
    }

    private static FeedEntry EntryOf(JsonElement entry)
    {
        if (entry.ValueKind != JsonValueKind.Object)
            throw FeedErrors.RequestInvalid.With("An entry of postgres_changes is an object.");
        var changes = (Text(entry, "event") ?? throw FeedErrors.RequestInvalid.With("The entry has no event.")) switch
        {
            "*" => FeedChanges.All,
            var name when name.Equals("INSERT", StringComparison.OrdinalIgnoreCase) => FeedChanges.Insert,
            var name when name.Equals("UPDATE", StringComparison.OrdinalIgnoreCase) => FeedChanges.Update,
            var name when name.Equals("DELETE", StringComparison.OrdinalIgnoreCase) => FeedChanges.Delete,
            var name => throw FeedErrors.RequestInvalid.With($"The event is *, INSERT, UPDATE or DELETE (was '{Request.Shown(name)}')."),
        };
        var filter = Text(entry, "filter");
        return new FeedEntry(
            Text(entry, "schema") ?? throw FeedErrors.RequestInvalid.With("The entry has no schema."),
            Text(entry, "table") ?? "*",
            changes,
            string.IsNullOrWhiteSpace(filter) ? null : FeedFilter.Parse(filter),
            ColumnsOf(JoinRequest.Part(entry, "select")));
    }

    private static List<string>? ColumnsOf(JsonElement select) => select.ValueKind switch
    {
        JsonValueKind.Undefined or JsonValueKind.Null => null,
        JsonValueKind.Array => [.. select.EnumerateArray().Select(each =>
            JoinRequest.TextOf(each) is { Length: > 0 } column ? column : throw FeedErrors.RequestInvalid.With("The entry's select is a list of columns."))],
        _ => throw FeedErrors.RequestInvalid.With("The entry's select is a list of columns."),
    };

    private static string? Text(JsonElement entry, string name) => JoinRequest.Part(entry, name) switch
    {
        { ValueKind: JsonValueKind.Undefined or JsonValueKind.Null } => null,
        { } value => JoinRequest.TextOf(value) ?? throw FeedErrors.RequestInvalid.With($"The entry's {name} is a text."),
    };

    private static string Explain(VoxbaseException e, JsonElement entry) =>
        e.Error != FeedErrors.RequestInvalid
            ? $"{e.Code}: {e.Message} {e.Hint}"
            : $"Unable to subscribe to changes with given parameters. {e.Message} {e.Hint} Given: "
                + string.Join(", ", ((string[])["event", "schema", "table", "filter"]).Select(name => $"{name} {Given(entry, name)}"));

    private static string Given(JsonElement entry, string name) => Request.Shown(JoinRequest.TextOf(JoinRequest.Part(entry, name)) ?? "*");

    // Equal entries have equal ids. Never 0, which clients take for none; within what every language's integers hold.
    private static long IdOf(JsonElement entry)
    {
        var hash = 2166136261u;
        foreach (var one in Encoding.UTF8.GetBytes(entry.GetRawText()))
            hash = (hash ^ one) * 16777619u;
        return (hash & 0x7FF_FFFF) + 1;
    }
}
