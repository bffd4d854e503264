using System.Runtime.InteropServices;

namespace Voxbase.Data;

/// <summary>
/// What goes before what on a busy machine: frames of audio, then the rest of the server, then what is only recorded. Asked of Linux, which lets
/// every process take back its own claims; elsewhere, and where it refuses, nothing changes.
/// </summary>
public static class Scheduling
{
    // Weighs a third of others when the processors are short, and nothing else.
    private const int Behind = 5;
    private const int Last = 19;

    // The least that Linux gives. Who asks for short slices is let in at once, as long as its share lasts (since 6.12; before, it is not asked).
    private const ulong ShortSliceNs = 100_000;

    /// <summary>
    /// The calling thread, and those that it starts from now on, do a little at a time and want it soon. For the first lines of a program that
    /// relays audio, as <c>voxbase up</c> is; safe to call again.
    /// </summary>
    public static void PreferSoon() => Set(0, ShortSliceNs);

    /// <summary>The calling thread can wait.</summary>
    internal static void StandBehind() => Set(Behind, 0);

    private static void Set(int nicer, ulong sliceNs)
    {
        // sched_setattr has no function in the C library. Its number:
        int? call = !OperatingSystem.IsLinux() ? null : RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => 314,
            Architecture.Arm64 => 274,
            _ => null,
        };
        if (call is not { } number)
            return;
        try
        {
            // Beside what whoever started the process gave it.
            var attributes = new Attributes { Size = (uint)Marshal.SizeOf<Attributes>(), Nice = Math.Min(GetPriority(0, 0) + nicer, Last), Runtime = sliceNs };
            _ = Syscall(number, 0, in attributes, 0);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // Then as it is.
        }
    }

    [DllImport("libc", EntryPoint = "syscall")]
    private static extern nint Syscall(nint number, nint thread, in Attributes attributes, nint flags);

    // Of the calling thread, here.
    [DllImport("libc", EntryPoint = "getpriority")]
    private static extern int GetPriority(int which, uint who);

    // struct sched_attr, its first version. Policy 0 is the ordinary one.
    [StructLayout(LayoutKind.Sequential)]
    private struct Attributes
    {
        public uint Size;
        public uint Policy;
        public ulong Flags;
        public int Nice;
        public uint Priority;
        public ulong Runtime;
        public ulong Deadline;
        public ulong Period;
    }
}
