using System.Collections.Frozen;
using System.Globalization;

namespace Voxbase.DataApi;

/// <summary>
/// The settings in force: the options, and over them those that <c>alter role authenticator set pgrst.…</c> made, as PostgREST reads them.
/// </summary>
internal sealed class ApiSettings
{
    private readonly Dictionary<string, string[]> searchPaths = new(StringComparer.Ordinal);

    private ApiSettings(DataApiOptions options)
    {
        Schemas = Names(options.Schemas);
        ExtraSearchPath = Names(options.ExtraSearchPath);
        (MaxRows, Aggregates, Plan) = (options.MaxRows, options.Aggregates, options.Plans);
        (MayChooseEnd, RollsBack, PreRequest) = (options.MayRollBack, false, options.PreRequest);
    }

    /// <summary>Schemas that are served; the first is the one of requests that name none.</summary>
    public IReadOnlyList<string> Schemas { get; private set; }

    public IReadOnlyList<string> ExtraSearchPath { get; private set; }

    public long? MaxRows { get; private set; }

    public bool Aggregates { get; private set; }

    public bool Plan { get; private set; }

    /// <summary>Whether a request may ask for <c>tx=</c>.</summary>
    public bool MayChooseEnd { get; private set; }

    /// <summary>Whether every transaction is rolled back that does not ask otherwise.</summary>
    public bool RollsBack { get; private set; }

    /// <summary>A function to call before each request, or null.</summary>
    public string? PreRequest { get; private set; }

    /// <summary>Whether the root describes what the caller may use, everything, or nothing.</summary>
    public string OpenApiMode { get; private set; } = "follow-privileges";

    /// <summary>Settings of each role that a request takes on, such as its <c>statement_timeout</c>.</summary>
    public FrozenDictionary<string, RoleSettings> Roles { get; private set; } = FrozenDictionary<string, RoleSettings>.Empty;

    /// <param name="options">What the host says.</param>
    /// <param name="inDatabase">Names without <c>pgrst.</c>.</param>
    /// <param name="roles">Of each role, its own.</param>
    public static ApiSettings Of(DataApiOptions options, IReadOnlyDictionary<string, string> inDatabase, IReadOnlyDictionary<string, RoleSettings> roles)
    {
        var settings = new ApiSettings(options) { Roles = roles.ToFrozenDictionary() };
        foreach (var (name, value) in inDatabase)
            settings.Apply(name, value);
        foreach (var schema in settings.Schemas)
            settings.searchPaths[schema] = [.. settings.ExtraSearchPath.Prepend(schema).Distinct()];
        return settings;
    }

    /// <summary>Where names of a request are looked up: its schema, then the extra ones.</summary>
    public string[] SearchPath(string schema) => searchPaths.GetValueOrDefault(schema) ?? [schema];

    private void Apply(string name, string value)
    {
        switch (name)
        {
            case "db_schemas" when Names(value) is { Length: > 0 } schemas:
                Schemas = schemas;
                break;
            case "db_extra_search_path":
                ExtraSearchPath = Names(value);
                break;
            case "db_max_rows":
                MaxRows = long.TryParse(value, CultureInfo.InvariantCulture, out var rows) && rows >= 0 ? rows : MaxRows;
                break;
            case "db_aggregates_enabled":
                Aggregates = IsTrue(value) ?? Aggregates;
                break;
            case "db_plan_enabled":
                Plan = IsTrue(value) ?? Plan;
                break;
            case "db_tx_end":
                MayChooseEnd = value.EndsWith("-allow-override", StringComparison.Ordinal);
                RollsBack = value.StartsWith("rollback", StringComparison.Ordinal);
                break;
            case "db_pre_request":
                PreRequest = value.Length == 0 ? null : value;
                break;
            case "openapi_mode":
                OpenApiMode = value;
                break;
        }
    }

    private static string[] Names(string value) =>
        value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(name => name.Trim('"')).ToArray();

    private static bool? IsTrue(string value) => value.ToLowerInvariant() switch
    {
        "true" or "on" or "yes" or "1" => true,
        "false" or "off" or "no" or "0" => false,
        _ => null,
    };
}

/// <param name="Settings">Names and values, without the isolation.</param>
/// <param name="Isolation">The isolation of the role's transactions, or null.</param>
internal sealed record RoleSettings(IReadOnlyList<KeyValuePair<string, string>> Settings, string? Isolation);
