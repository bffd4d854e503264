using System.Text;

namespace Voxbase.AspNetCore;

/// <summary>
/// <c>google.rpc.Status</c> with <c>google.rpc.RetryInfo</c>, in protobuf: the one answer after which agents send a recording again.
/// </summary>
internal static class RpcStatus
{
    // google.rpc.Code.UNAVAILABLE
    private const byte Unavailable = 14;

    private const string RetryInfoType = "type.googleapis.com/google.rpc.RetryInfo";

    public static byte[] Retry(ErrorCode error, TimeSpan after)
    {
        var delay = Varint(1, (ulong)after.TotalSeconds);
        byte[] any = [.. Bytes(1, Encoding.ASCII.GetBytes(RetryInfoType)), .. Bytes(2, Bytes(1, delay))];
        return [.. Varint(1, Unavailable), .. Bytes(2, Encoding.UTF8.GetBytes($"{error.Code}: {error.Summary}")), .. Bytes(3, any)];
    }

    private static byte[] Varint(int field, ulong value) => [.. Number((ulong)field << 3), .. Number(value)];

    private static byte[] Bytes(int field, byte[] value) => [.. Number(((ulong)field << 3) | 2), .. Number((ulong)value.Length), .. value];

    private static List<byte> Number(ulong value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
            bytes.Add((byte)(value | 0x80));
        bytes.Add((byte)value);
        return bytes;
    }
}
