using System.ComponentModel;
using System.Formats.Tar;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;

namespace Voxbase.Data;

/// <summary>A folder with <c>postgres</c>, <c>initdb</c> and <c>pg_ctl</c>, and their version.</summary>
internal sealed partial record PostgresBinaries(string Directory, Version Version)
{
    public const int OldestMajor = 15;
    private const int NewestPinnedMajor = 18;

    // Exact versions, so that the same server runs everywhere. All five platforms have each of these. One for every major version, so
    // that a data directory outlives the removal of the installed binaries that made it.
    private static readonly Dictionary<int, string> PinnedVersions = new()
    {
        [15] = "15.18.0-beta.17",
        [16] = "16.14.0-beta.17",
        [17] = "17.10.0-beta.17",
        [NewestPinnedMajor] = "18.4.0-beta.17",
    };

    private static readonly string[] UsualFolders =
    [
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql@*/bin",
        "/usr/local/opt/postgresql@*/bin",
        @"C:\Program Files\PostgreSQL\*\bin",
    ];

    public string Postgres => ProgramIn(Directory, "postgres");

    public string InitDb => ProgramIn(Directory, "initdb");

    public string PgCtl => ProgramIn(Directory, "pg_ctl");

    /// <summary>
    /// The binaries to run: the folder given; else installed ones, those on <c>PATH</c> first and then the newest; else the npm package. With
    /// <paramref name="major"/>, the version that made the data directory, only that version will do.
    /// </summary>
    public static async Task<PostgresBinaries> FindAsync(
        EmbeddedPostgresOptions options, string home, int? major, ILogger logger, CancellationToken cancellationToken)
    {
        var seen = new List<PostgresBinaries>();
        if (options.ResolveBinariesDirectory() is { } given)
        {
            if (await InspectAsync(given, cancellationToken) is not { } binaries)
                throw EmbeddedPostgresErrors.NotFound.With($"{given} does not hold postgres, initdb and pg_ctl that run here.\n{WhatToInstall}");
            if (Suits(binaries, major))
                return binaries;
            seen.Add(binaries);
        }
        else if (options.Source != PostgresSource.Npm)
        {
            foreach (var folder in InstalledFolders(options.SearchFolders))
            {
                if (await InspectAsync(folder, cancellationToken) is not { } binaries)
                    continue;
                if (Suits(binaries, major))
                    return binaries;
                seen.Add(binaries);
            }
        }

        if (options.ResolveBinariesDirectory() is null && options.Source != PostgresSource.Installed
            && await FromNpmAsync(options, home, major ?? NewestPinnedMajor, logger, cancellationToken) is { } obtained)
            return obtained;

        var found = seen.Count == 0 ? "none" : string.Join(", ", seen.Select(b => $"{b.Version} in {b.Directory}"));
        if (major is not null)
            throw EmbeddedPostgresErrors.VersionMismatch.With($"The data directory in {home} was made by PostgreSQL {major}; binaries found: {found}");
        throw EmbeddedPostgresErrors.NotFound.With($"No PostgreSQL {OldestMajor} or later can be run here (found: {found}).\n{WhatToInstall}");
    }

    private static string WhatToInstall =>
        (OperatingSystem.IsWindows() ? "Install it with: winget install PostgreSQL.PostgreSQL.17"
            : OperatingSystem.IsMacOS() ? "Install it with: brew install postgresql@17"
            : "Install it with: apt install postgresql (Debian, Ubuntu), dnf install postgresql-server postgresql-contrib (Fedora)"
                + " or apk add postgresql postgresql-contrib (Alpine)")
        + "; or install Node.js with npm, and it is fetched by itself; or name its folder in VOXBASE_POSTGRES_BINARIES.";

    private static bool Suits(PostgresBinaries binaries, int? major) =>
        major is null ? binaries.Version.Major >= OldestMajor : binaries.Version.Major == major;

    private static IEnumerable<string> InstalledFolders(IReadOnlyList<string>? searchFolders) =>
        OnPath(searchFolders, "postgres").Select(p => Path.GetDirectoryName(RealPath(p))!)
            .Concat(searchFolders is null ? UsualFolders.SelectMany(Matching) : [])
            .Distinct();

    private static IEnumerable<string> OnPath(IReadOnlyList<string>? searchFolders, string program) =>
        (searchFolders ?? Environment.GetEnvironmentVariable("PATH")?.Split(Path.PathSeparator) ?? [])
            .Where(Path.IsPathFullyQualified)
            .Select(folder => ProgramIn(folder, program))
            .Where(File.Exists);

    /// <summary>The folders that a pattern with one <c>*</c> in it matches, the highest number first.</summary>
    private static IEnumerable<string> Matching(string pattern)
    {
        var star = pattern.IndexOf('*', StringComparison.Ordinal);
        var parent = pattern[..pattern.LastIndexOfAny(['/', '\\'], star)];
        var rest = pattern[pattern.IndexOfAny(['/', '\\'], star)..];
        var name = pattern[(parent.Length + 1)..^rest.Length];
        if (!System.IO.Directory.Exists(parent))
            return [];
        return System.IO.Directory.EnumerateDirectories(parent, name)
            .OrderByDescending(folder => int.TryParse(Digits().Match(Path.GetFileName(folder)).Value, out var number) ? number : 0)
            .Select(folder => folder + rest);
    }

    private static async Task<PostgresBinaries?> InspectAsync(string folder, CancellationToken cancellationToken)
    {
        if (!File.Exists(ProgramIn(folder, "postgres")) || !File.Exists(ProgramIn(folder, "initdb")) || !File.Exists(ProgramIn(folder, "pg_ctl")))
            return null;
        try
        {
            // "postgres (PostgreSQL) 17.5 (Debian 17.5-1)", "postgres (PostgreSQL) 18beta1"
            var answer = await HostCommand.RunAsync(ProgramIn(folder, "postgres"), ["--version"], cancellationToken: cancellationToken);
            var match = VersionPattern().Match(answer.Output);
            if (answer.ExitCode != 0 || !match.Success)
                return null;
            var minor = match.Groups[2].Success ? int.Parse(match.Groups[2].Value) : 0;
            return new PostgresBinaries(folder, new Version(int.Parse(match.Groups[1].Value), minor));
        }
        catch (Win32Exception)
        {
            // Made for another processor, or not executable.
            return null;
        }
    }

    /// <summary>Null when there is no such package or no npm to get it with.</summary>
    private static async Task<PostgresBinaries?> FromNpmAsync(
        EmbeddedPostgresOptions options, string home, int major, ILogger logger, CancellationToken cancellationToken)
    {
        if (Platform() is not { } platform || !PinnedVersions.TryGetValue(major, out var version))
            return null;
        var folder = Path.Combine(home, "postgres-" + version);
        if (await InspectAsync(Path.Combine(folder, "bin"), cancellationToken) is { } kept)
            return kept;
        if (OnPath(options.SearchFolders, "npm").FirstOrDefault() is not { } npm)
            return null;

        var package = $"@embedded-postgres/{platform}@{version}";
        Log.FetchingPostgres(logger, package);
        foreach (var leftover in System.IO.Directory.EnumerateDirectories(home, "postgres-*.tmp"))
            System.IO.Directory.Delete(leftover, recursive: true);
        var temporary = System.IO.Directory.CreateDirectory($"{folder}.{Path.GetRandomFileName()}.tmp").FullName;
        try
        {
            // pack and not install: it checks the registry's hash all the same, runs no script and leaves out the wrapper.
            var answer = await HostCommand.RunAsync(
                npm, ["pack", package, "--ignore-scripts", "--loglevel=error"], folder: temporary, cancellationToken: cancellationToken);
            var archive = System.IO.Directory.EnumerateFiles(temporary, "*.tgz").FirstOrDefault();
            if (answer.ExitCode != 0 || archive is null)
                throw EmbeddedPostgresErrors.DownloadFailed.With($"npm could not obtain {package} (exit code {answer.ExitCode})", answer.Tail);

            await using (var file = File.OpenRead(archive))
            await using (var unzipped = new GZipStream(file, CompressionMode.Decompress))
                await TarFile.ExtractToDirectoryAsync(unzipped, temporary, overwriteFiles: false, cancellationToken);
            var native = Path.Combine(temporary, "package", "native");
            await MakeSymlinksAsync(Path.Combine(temporary, "package"), cancellationToken);
            LetOthersRead(native);
            if (System.IO.Directory.Exists(folder))
                System.IO.Directory.Delete(folder, recursive: true);
            System.IO.Directory.Move(native, folder);
        }
        finally
        {
            System.IO.Directory.Delete(temporary, recursive: true);
        }

        return await InspectAsync(Path.Combine(folder, "bin"), cancellationToken)
            ?? throw EmbeddedPostgresErrors.DownloadFailed.With($"The programs in {package} do not run on this machine");
    }

    /// <summary>npm packages cannot carry symlinks; this one lists those its libraries need in <c>native/pg-symlinks.json</c>.</summary>
    private static async Task MakeSymlinksAsync(string package, CancellationToken cancellationToken)
    {
        var list = Path.Combine(package, "native", "pg-symlinks.json");
        if (!File.Exists(list))
            return;
        await using var stream = File.OpenRead(list);
        var links = await JsonSerializer.DeserializeAsync<List<Symlink>>(stream, JsonSerializerOptions.Web, cancellationToken) ?? [];
        foreach (var (source, target) in links)
        {
            var existing = Path.GetFullPath(Path.Combine(package, source));
            var link = Path.GetFullPath(Path.Combine(package, target));
            if (!existing.StartsWith(package, StringComparison.Ordinal) || !link.StartsWith(package, StringComparison.Ordinal))
                throw EmbeddedPostgresErrors.DownloadFailed.With($"The package lists a link that leads out of it: {target}");
            if (OperatingSystem.IsWindows())
                File.Copy(existing, link, overwrite: true);
            else if (!File.Exists(link))
                File.CreateSymbolicLink(link, Path.GetRelativePath(Path.GetDirectoryName(link)!, existing));
        }
    }

    /// <summary>Root's umask may have closed the files to the user that will run them.</summary>
    private static void LetOthersRead(string folder)
    {
        if (!HostCommand.IsRoot || OperatingSystem.IsWindows())
            return;
        const UnixFileMode read = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        const UnixFileMode execute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        foreach (var entry in new DirectoryInfo(folder).EnumerateFileSystemInfos("*", SearchOption.AllDirectories).Append(new DirectoryInfo(folder)))
        {
            if (entry.LinkTarget is null)
                entry.UnixFileMode |= read | ((entry.UnixFileMode & UnixFileMode.UserExecute) != 0 ? execute : 0);
        }
    }

    private static string? Platform() => (RuntimeInformation.OSArchitecture, RuntimeInformation.RuntimeIdentifier) switch
    {
        (_, var id) when id.Contains("musl", StringComparison.Ordinal) => null,
        (Architecture.X64, _) when OperatingSystem.IsLinux() => "linux-x64",
        (Architecture.Arm64, _) when OperatingSystem.IsLinux() => "linux-arm64",
        (Architecture.X64, _) when OperatingSystem.IsMacOS() => "darwin-x64",
        (Architecture.Arm64, _) when OperatingSystem.IsMacOS() => "darwin-arm64",
        (Architecture.X64, _) when OperatingSystem.IsWindows() => "windows-x64",
        _ => null,
    };

    private static string ProgramIn(string folder, string program) =>
        Path.Combine(folder, OperatingSystem.IsWindows() ? program + (program == "npm" ? ".cmd" : ".exe") : program);

    private static string RealPath(string file) => File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? file;

    private sealed record Symlink(string Source, string Target);

    [GeneratedRegex(@"\(PostgreSQL\) (\d+)(?:\.(\d+))?")]
    private static partial Regex VersionPattern();

    [GeneratedRegex(@"\d+")]
    private static partial Regex Digits();
}
