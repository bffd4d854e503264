using System.Buffers.Binary;
using System.Text;

namespace Voxbase.LiveKit;

/// <summary>Protobuf's wire format: fields one after the other, each with its number. Unknown ones are skipped.</summary>
internal ref struct ProtoReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> rest = bytes;
    private int wireType;

    /// <summary>The number of the field that <see cref="Next"/> came to.</summary>
    public int Field { get; private set; }

    /// <summary>Whether the field is a message, a text or bytes.</summary>
    public readonly bool IsBytes => wireType == 2;

    /// <exception cref="FormatException">The bytes are not protobuf.</exception>
    public bool Next()
    {
        if (rest.IsEmpty)
            return false;
        var tag = Varint();
        (Field, wireType) = ((int)Math.Min(tag >> 3, int.MaxValue), (int)(tag & 7));
        return Field > 0 ? true : throw new FormatException("A field has the number 0.");
    }

    /// <summary>The field as bytes: of a message, a text, a packed list.</summary>
    public ReadOnlySpan<byte> Bytes()
    {
        Require(2);
        var length = Varint();
        if (length > (ulong)rest.Length)
            throw new FormatException("A field is longer than what holds it.");
        var value = rest[..(int)length];
        rest = rest[(int)length..];
        return value;
    }

    public string Text() => Encoding.UTF8.GetString(Bytes()).Replace('\0', '\uFFFD');

    public ulong Unsigned() => wireType switch
    {
        0 => Varint(),
        1 => Fixed64(),
        _ => throw new FormatException("A field is not a number."),
    };

    public long Signed() => unchecked((long)Unsigned());

    public double Double() => BitConverter.UInt64BitsToDouble(Fixed64());

    public void Skip()
    {
        switch (wireType)
        {
            case 0:
                Varint();
                break;
            case 1:
                Fixed64();
                break;
            case 2:
                Bytes();
                break;
            case 5 when rest.Length >= 4:
                rest = rest[4..];
                break;
            default:
                throw new FormatException("A field has an unknown form.");
        }
    }

    private ulong Fixed64()
    {
        Require(1);
        if (rest.Length < 8)
            throw new FormatException("A number breaks off.");
        var value = BinaryPrimitives.ReadUInt64LittleEndian(rest);
        rest = rest[8..];
        return value;
    }

    private ulong Varint()
    {
        var value = 0UL;
        for (var i = 0; i < 10 && i < rest.Length; i++)
        {
            value |= (ulong)(rest[i] & 0x7f) << (7 * i);
            if (rest[i] < 0x80)
            {
                rest = rest[(i + 1)..];
                return value;
            }
        }

        throw new FormatException("A number breaks off.");
    }

    private readonly void Require(int expected)
    {
        if (wireType != expected)
            throw new FormatException("A field has another form than its number says.");
    }
}
