namespace Voxbase.Server.Commands;

/// <summary>A file that a command reads; - is the standard input.</summary>
internal static class InputFile
{
    /// <exception cref="VoxbaseException"><c>file_unreadable</c>.</exception>
    public static Stream Open(string file)
    {
        if (file == "-")
            return Console.OpenStandardInput();
        try
        {
            return Directory.Exists(file)
                ? throw ServerErrors.FileUnreadable.With("it is a folder")
                : new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1, FileOptions.Asynchronous | FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ServerErrors.FileUnreadable.With(e is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : e.Message, inner: e);
        }
    }
}
