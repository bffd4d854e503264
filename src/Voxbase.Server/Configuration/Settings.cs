using System.Collections;
using Voxbase.Data;

namespace Voxbase.Server.Configuration;

/// <summary>An option of the command line that stands for a setting; null when it was not given.</summary>
internal sealed record Flag(string Setting, string Name, string? Value);

/// <summary>Where a setting's value comes from.</summary>
internal enum SettingSource { Default, Env, Flag }

/// <summary>What is in force: the defaults, over them <c>VOXBASE_…</c> variables, over them flags.</summary>
internal sealed class Settings
{
    private readonly Dictionary<string, SettingSource> sources = new(StringComparer.OrdinalIgnoreCase);

    private Settings()
    {
    }

    /// <summary>The library's options.</summary>
    public VoxbaseOptions Voxbase { get; } = new() { Conversations = { AppendLanes = AppendLanesOn(Environment.ProcessorCount) } };

    /// <summary>The embedded database's.</summary>
    public EmbeddedPostgresOptions Embedded { get; } = new();

    /// <summary>Whether the database is the user's own.</summary>
    public bool HasOwnDatabase => !string.IsNullOrWhiteSpace(Voxbase.Database);

    /// <summary>The folder of the embedded database and of the keys.</summary>
    public string Home => Embedded.ResolveHome();

    /// <summary>
    /// The default of <see cref="ConversationsOptions.AppendLanes"/> in the server. Two processors are busy with HTTP as well: there one lane, whose batches are larger and cost less a
    /// turn, appends more than two.
    /// </summary>
    public static int AppendLanesOn(int processors) => processors <= 2 ? 1 : new ConversationsOptions().AppendLanes;

    /// <summary>Where a setting's value comes from.</summary>
    public SettingSource SourceOf(SettingProperty setting) => sources.GetValueOrDefault(setting.Name);

    /// <summary>Everything that can be set.</summary>
    public IEnumerable<SettingProperty> All() => SettingProperty.Of(Voxbase, "").Concat(SettingProperty.Of(Embedded, "Embedded"));

    /// <summary>Hands the library's options to a host that makes its own.</summary>
    public void Configure(VoxbaseOptions options)
    {
        foreach (var (from, to) in SettingProperty.Of(Voxbase, "").Zip(SettingProperty.Of(options, "")))
            to.CopyFrom(from);
    }

    /// <summary>Reads the process's environment.</summary>
    /// <exception cref="VoxbaseException"><c>setting_invalid</c>.</exception>
    public static Settings Read(IReadOnlyList<Flag> flags)
    {
        var variables = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Select(entry => (Name: (string)entry.Key, Value: (string?)entry.Value ?? ""))
            .Where(variable => variable.Name.StartsWith(SettingProperty.VariablePrefix, StringComparison.OrdinalIgnoreCase));
        return Read(flags, [.. variables]);
    }

    /// <summary>The same with variables of choice.</summary>
    public static Settings Read(IReadOnlyList<Flag> flags, IReadOnlyList<(string Name, string Value)> variables)
    {
        var settings = new Settings();
        // Almost always there is nothing but the flags and two variables, and looking at every property costs a start some milliseconds.
        var all = new Lazy<List<SettingProperty>>(() => [.. settings.All()]);
        foreach (var (name, value) in variables)
            settings.Set(all, name, value);
        foreach (var flag in flags.Where(flag => flag.Value is not null))
        {
            all.Value.Single(setting => setting.Name == flag.Setting).Set(flag.Name, flag.Value!);
            settings.sources[flag.Setting] = SettingSource.Flag;
        }

        return settings;
    }

    private void Set(Lazy<List<SettingProperty>> all, string variable, string value)
    {
        if (value.Length == 0 || variable is "VOXBASE_DEBUG" or "VOXBASE_COMMAND")
            return;
        if (all.Value.FirstOrDefault(setting => setting.Owns(variable)) is { } setting)
        {
            setting.Set(variable, value);
            sources[setting.Name] = SettingSource.Env;
        }
        else if (variable.Contains("__", StringComparison.Ordinal))
        {
            // A misspelt setting that is silently ignored is found months later. Variables without __ may be somebody else's.
            throw ServerErrors.SettingInvalid.With($"The variable {variable} names no setting.");
        }
    }
}
