using System.Security.Cryptography;

namespace Voxbase.Capture;

/// <summary>
/// A transcript that can be read twice: once for its hash, which names the conversation, and once for its turns. What cannot seek is
/// kept meanwhile, small in memory and large in a file that nobody else can open.
/// </summary>
internal sealed class TranscriptSource : IAsyncDisposable
{
    private const int BytesInMemory = 1 << 20;

    private readonly bool isOwn;

    private TranscriptSource(Stream content, byte[] hash, bool isOwn) => (Content, Hash, this.isOwn) = (content, hash, isOwn);

    /// <summary>All of it; seeks.</summary>
    public Stream Content { get; }

    /// <summary>SHA-256.</summary>
    public byte[] Hash { get; }

    /// <exception cref="VoxbaseException"><c>transcript_too_large</c>.</exception>
    public static async Task<TranscriptSource> OpenAsync(Stream transcript, CancellationToken cancellationToken)
    {
        var isOwn = !transcript.CanSeek;
        if (!isOwn && transcript.Length > TranscriptImports.MaxBytes)
            throw TooLarge();
        var kept = isOwn ? new MemoryStream() : transcript;
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = new byte[80 << 10];
            var length = 0L;
            if (!isOwn)
                transcript.Position = 0;
            while (await transcript.ReadAsync(buffer, cancellationToken) is > 0 and var read)
            {
                if ((length += read) > TranscriptImports.MaxBytes)
                    throw TooLarge();
                hash.AppendData(buffer, 0, read);
                if (!isOwn)
                    continue;
                if (kept is MemoryStream memory && length > BytesInMemory)
                    kept = await OnDiskAsync(memory, cancellationToken);
                await kept.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            }

            kept.Position = 0;
            return new TranscriptSource(kept, hash.GetHashAndReset(), isOwn);
        }
        catch
        {
            if (isOwn)
                await kept.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => isOwn ? Content.DisposeAsync() : ValueTask.CompletedTask;

    private static async Task<Stream> OnDiskAsync(MemoryStream memory, CancellationToken cancellationToken)
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Options = FileOptions.Asynchronous | FileOptions.DeleteOnClose,
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var file = new FileStream(Path.Combine(Path.GetTempPath(), $"voxbase-{Guid.NewGuid():n}"), options);
        // Without a name it cannot outlive the process, however that ends.
        if (!OperatingSystem.IsWindows())
            File.Delete(file.Name);
        await file.WriteAsync(memory.GetBuffer().AsMemory(0, (int)memory.Length), cancellationToken);
        return file;
    }

    private static VoxbaseException TooLarge() =>
        TranscriptErrors.TooLarge.With($"The transcript is longer than {TranscriptImports.MaxBytes >> 20} MiB.");
}
