namespace Voxbase;

/// <summary>The Data API: tables and functions over <c>/rest/v1</c>, in the dialect of PostgREST that supabase-js speaks.</summary>
/// <remarks>
/// <c>alter role authenticator set pgrst.db_schemas = …</c> and its like, as PostgREST reads them, go before these options; see the guide.
/// </remarks>
public sealed class DataApiOptions
{
    /// <summary>Whether <c>/rest/v1</c> is served. Default true.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>
    /// The schemas whose tables, views and functions are served, with commas between. The first is that of requests that name none. A client that asks for
    /// <c>public</c>, as supabase-js does unasked, gets the first one where <c>public</c> is not among them. Default <c>vox</c>.
    /// </summary>
    public string Schemas { get; set; } = "vox";

    /// <summary>Schemas where types and functions of a statement are looked up beside the request's own, with commas between. Default <c>public</c>.</summary>
    public string ExtraSearchPath { get; set; } = "public";

    /// <summary>The most rows of an answer, of an embedded list too. From 1 to 1,000,000, or null for no end. Default 1,000.</summary>
    public int? MaxRows { get; set; } = 1000;

    /// <summary>Whether <c>select=amount.sum()</c> and its like are allowed. Default false: anybody could make the database work.</summary>
    public bool Aggregates { get; set; }

    /// <summary>Whether a query's plan is answered to who asks for it. Default false: plans tell about data.</summary>
    public bool Plans { get; set; }

    /// <summary>Whether <c>Prefer: tx=rollback</c> is honoured; for tests. Default false.</summary>
    public bool MayRollBack { get; set; }

    /// <summary>A function to call in each transaction before its statement, as <c>schema.name</c>. Default null.</summary>
    public string? PreRequest { get; set; }

    /// <summary>
    /// How many connections to the database the Data API may have at once, beside those of the rest of Voxbase. From 1 to 1,000;
    /// default 20.
    /// </summary>
    public int MaxConnections { get; set; } = 20;

    internal void Validate(Action<string> fail)
    {
        if (Schemas.Split(',').Any(string.IsNullOrWhiteSpace))
            fail($"DataApi.Schemas must be one or more names with commas between (was '{Schemas}')");
        if (MaxRows is < 1 or > 1_000_000)
            fail($"DataApi.MaxRows must be null or between 1 and 1000000 (was {MaxRows})");
        if (MaxConnections is < 1 or > 1000)
            fail($"DataApi.MaxConnections must be between 1 and 1000 (was {MaxConnections})");
        if (PreRequest is { Length: 0 })
            fail("DataApi.PreRequest must be null or a function's name (was empty)");
    }
}
