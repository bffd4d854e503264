using System.Buffers.Binary;
using System.Text;

namespace Voxbase;

/// <summary>A table as the log describes it, until it describes it anew.</summary>
internal sealed record WalRelation(uint Oid, string Schema, string Table, char Identity, WalColumn[] Columns);

/// <summary>A column of such a table.</summary>
internal readonly record struct WalColumn(string Name, uint TypeOid);

/// <summary>Where a column's text is in its change; lengths below zero say why there is none.</summary>
internal readonly record struct WalValue(int Start, int Length)
{
    public const int Null = -1;

    public const int Unchanged = -2;
}

/// <summary>A row that came, changed or went, as the log has it: the message's bytes, and where in them each column is.</summary>
internal sealed class WalChange
{
    public required FeedTransaction Transaction { get; init; }

    public required WalRelation Relation { get; init; }

    public required FeedChanges Kind { get; init; }

    public required byte[] Data { get; init; }

    /// <summary>The new row, or the old key of a delete.</summary>
    public required WalValue[] Values { get; init; }

    /// <summary>The old key of an update that changed it (the old row, with a full replica identity).</summary>
    public WalValue[]? Old { get; init; }

    /// <summary>Its generated columns, once somebody is told of it.</summary>
    public GeneratedValues? Generated { get; set; }

    /// <summary>From 1, in its transaction.</summary>
    public required uint Index { get; init; }

    public FeedPosition Position => Transaction.At(Index);

    public ReadOnlySpan<byte> Text(WalValue value) => Data.AsSpan(value.Start, value.Length);
}

/// <summary>The texts of a change's generated columns.</summary>
/// <param name="Of">The table as it stood.</param>
/// <param name="Values">In its order; null for null.</param>
internal sealed record GeneratedValues(FeedTable Of, byte[]?[] Values)
{
    /// <summary>One that is made of what the change does not tell.</summary>
    public static byte[] Unknown { get; } = [0];
}

/// <summary>A committed transaction: what the log keeps and subscribers are told of, whole and in order.</summary>
internal sealed class FeedTransaction
{
    public required uint Id { get; init; }

    public required DateTimeOffset CommittedAt { get; init; }

    public required uint Epoch { get; init; }

    /// <summary>The end of its commit in the write-ahead log; known when it has come whole.</summary>
    public ulong Commit { get; set; }

    public List<WalChange> Changes { get; } = [];

    /// <summary>Conversations that went with it, and who could see them.</summary>
    public Dictionary<string, string[]>? Gone { get; set; }

    public int Bytes { get; set; }

    public FeedPosition At(uint index) => new(Epoch, Commit, index);
}

/// <summary>
/// Reads pgoutput (protocol version 1): messages in, whole transactions out. Pure; https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
/// </summary>
internal sealed class WalReader(uint epoch)
{
    private const string GonePrefix = "voxbase.conversation";

    /// <summary>What servers tell each other is handed out apart: it is no change, and is not kept.</summary>
    public List<byte[]> Heard { get; } = [];

    /// <summary>The prefix of the last message that was left out because it is not in its form, until it is taken note of.</summary>
    public string? Malformed { get; set; }

    /// <summary>Whether this is what reading a message comes to that somebody else wrote.</summary>
    public static bool IsMalformed(Exception e) =>
        e is System.Text.Json.JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException or OverflowException;

    private static readonly DateTimeOffset PostgresEpoch = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly Dictionary<uint, WalRelation> relations = [];
    private FeedTransaction? open;

    /// <summary>The transaction that this message completes, or null.</summary>
    public FeedTransaction? Read(ReadOnlySpan<byte> message)
    {
        var at = new Cursor(message[1..]);
        switch (message[0])
        {
            case (byte)'B':
                at.Skip(8);
                var committedAt = PostgresEpoch.AddTicks(at.Int64() * TimeSpan.TicksPerMicrosecond);
                open = new FeedTransaction { CommittedAt = committedAt, Id = (uint)at.Int32(), Epoch = epoch };
                return null;
            case (byte)'C':
                at.Skip(1 + 8);
                var done = open!;
                done.Commit = (ulong)at.Int64();
                open = null;
                return done;
            case (byte)'R':
                ReadRelation(ref at);
                return null;
            case (byte)'I' or (byte)'U' or (byte)'D':
                ReadChange(message, ref at);
                return null;
            case (byte)'M':
                ReadMessage(ref at);
                return null;
            default:
                // Types and origins: not needed. A truncate is not published.
                return null;
        }
    }

    private void ReadRelation(ref Cursor at)
    {
        var oid = (uint)at.Int32();
        var schema = at.Name();
        var table = at.Name();
        var identity = (char)at.Byte();
        var columns = new WalColumn[at.Int16()];
        for (var i = 0; i < columns.Length; i++)
        {
            at.Skip(1);
            var name = at.Name();
            columns[i] = new WalColumn(name, (uint)at.Int32());
            at.Skip(4);
        }

        relations[oid] = new WalRelation(oid, schema.Length == 0 ? "pg_catalog" : schema, table, identity, columns);
    }

    private void ReadChange(ReadOnlySpan<byte> message, ref Cursor at)
    {
        var relation = relations[(uint)at.Int32()];
        var kind = message[0] switch { (byte)'I' => FeedChanges.Insert, (byte)'U' => FeedChanges.Update, _ => FeedChanges.Delete };
        // What is before the first row's values is the message's type, the table and a letter.
        const int header = 1 + 4;
        WalValue[]? old = null;
        var part = at.Byte();
        if (kind == FeedChanges.Update && part is (byte)'K' or (byte)'O')
        {
            old = ReadTuple(ref at, header);
            part = at.Byte();
        }

        var values = ReadTuple(ref at, header);
        var data = message[header..].ToArray();
        open!.Changes.Add(new WalChange
        {
            Transaction = open,
            Relation = relation,
            Kind = kind,
            Data = data,
            Values = values,
            Old = old,
            Index = (uint)open.Changes.Count + 1,
        });
        open.Bytes += data.Length + ((values.Length + (old?.Length ?? 0)) * 8) + 160;
    }

    // Positions are counted from behind the header.
    private static WalValue[] ReadTuple(ref Cursor at, int header)
    {
        var values = new WalValue[at.Int16()];
        for (var i = 0; i < values.Length; i++)
        {
            switch (at.Byte())
            {
                case (byte)'n':
                    values[i] = new WalValue(0, WalValue.Null);
                    break;
                case (byte)'u':
                    values[i] = new WalValue(0, WalValue.Unchanged);
                    break;
                default:
                    var length = at.Int32();
                    values[i] = new WalValue(at.Position + 1 - header, length);
                    at.Skip(length);
                    break;
            }
        }

        return values;
    }

    private void ReadMessage(ref Cursor at)
    {
        var isTransactional = at.Byte() == 1;
        at.Skip(8);
        var prefix = at.Name();
        var content = at.Take(at.Int32());
        if (isTransactional && prefix == Realtime.ChannelPeers.Prefix)
            Heard.Add(content.ToArray());
        if (!isTransactional || prefix != GonePrefix || open is null)
            return;
        try
        {
            using var document = System.Text.Json.JsonDocument.Parse(content.ToArray());
            string[] users = [.. document.RootElement.GetProperty("users").EnumerateArray().Select(user => user.GetString()!)];
            (open.Gone ??= [])[document.RootElement.GetProperty("id").GetString()!] = users;
            open.Bytes += content.Length;
        }
        catch (Exception e) when (IsMalformed(e))
        {
            // Read again after every restart, it would stop all that is behind it for good.
            Malformed = prefix;
        }
    }

    private ref struct Cursor(ReadOnlySpan<byte> bytes)
    {
        private readonly ReadOnlySpan<byte> bytes = bytes;

        public int Position { get; private set; }

        public void Skip(int count) => Position += count;

        public byte Byte() => bytes[Position++];

        public short Int16()
        {
            Position += 2;
            return BinaryPrimitives.ReadInt16BigEndian(bytes[(Position - 2)..]);
        }

        public int Int32()
        {
            Position += 4;
            return BinaryPrimitives.ReadInt32BigEndian(bytes[(Position - 4)..]);
        }

        public long Int64()
        {
            Position += 8;
            return BinaryPrimitives.ReadInt64BigEndian(bytes[(Position - 8)..]);
        }

        public string Name()
        {
            var length = bytes[Position..].IndexOf((byte)0);
            var name = Encoding.UTF8.GetString(bytes.Slice(Position, length));
            Position += length + 1;
            return name;
        }

        public ReadOnlySpan<byte> Take(int length)
        {
            Position += length;
            return bytes.Slice(Position - length, length);
        }
    }
}
