namespace Voxbase.DataApi;

/// <summary>A name in a schema.</summary>
internal readonly record struct QName(string Schema, string Name)
{
    public override string ToString() => $"{Schema}.{Name}";
}

/// <param name="Name">Its name.</param>
/// <param name="DataType">Its type without length, as a person reads it; of a domain the base type.</param>
/// <param name="NominalType">Its type as a statement names it.</param>
/// <param name="IsNullable">Whether it may be null.</param>
/// <param name="MaxLength">Of a text with a length.</param>
/// <param name="Default">The expression that fills it, or null.</param>
/// <param name="Description">Its comment.</param>
/// <param name="Labels">Of an enum.</param>
/// <param name="Form">Of a domain that is written in a way of its own, or null.</param>
internal sealed record Column(
    string Name, string DataType, string NominalType, bool IsNullable, int? MaxLength, string? Default, string? Description, string[] Labels,
    DomainForm? Form);

/// <summary>How a domain goes out and comes in: functions of its implicit casts, as statements name them, each null where there is none.</summary>
/// <param name="ToJson">From it to json, for answers.</param>
/// <param name="FromJson">From json to it, for bodies.</param>
/// <param name="FromText">From text to it, for values that it is compared with.</param>
internal sealed record DomainForm(string? ToJson, string? FromJson, string? FromText);

internal sealed class Table(QName name, bool isView, int events, string? description, string[] primaryKey, IReadOnlyList<Column> columns)
{
    private const int Insert = 8;
    private const int Update = 4;
    private const int Delete = 16;

    private readonly Dictionary<string, Column> byName = columns.ToDictionary(column => column.Name, StringComparer.Ordinal);

    public QName Name { get; } = name;

    public bool IsView { get; } = isView;

    public string? Description { get; } = description;

    public bool TakesInsert => (events & Insert) != 0;

    public bool TakesUpdate => (events & Update) != 0;

    public bool TakesDelete => (events & Delete) != 0;

    /// <summary>The columns of its key; of a view those that show the key of its table.</summary>
    public string[] PrimaryKey { get; } = primaryKey;

    public IReadOnlyList<Column> Columns { get; } = columns;

    /// <summary>Whether a column is not answered as it is.</summary>
    public bool HasForms { get; } = columns.Any(column => column.Form?.ToJson is not null);

    /// <summary>Functions of a row of it, which are read like columns, with the schemas they are in.</summary>
    public Dictionary<string, List<string>> Computed { get; } = new(StringComparer.Ordinal);

    public Column? Find(string column) => byName.GetValueOrDefault(column);
}

internal enum Cardinality
{
    ManyToOne,
    OneToMany,
    OneToOne,
    ManyToMany,
    Computed,
}

/// <summary>The table between two others.</summary>
/// <param name="Table">Its name.</param>
/// <param name="SourceConstraint">The key to the first.</param>
/// <param name="TargetConstraint">The key to the second.</param>
/// <param name="Source">Columns of the first and of the junction.</param>
/// <param name="Target">Columns of the second and of the junction.</param>
internal sealed record Junction(
    QName Table, string SourceConstraint, string TargetConstraint,
    IReadOnlyList<(string Theirs, string Own)> Source, IReadOnlyList<(string Theirs, string Own)> Target);

/// <summary>How rows of one table lead to rows of another.</summary>
internal sealed record Relationship(QName Table, QName Target, Cardinality Cardinality)
{
    public bool IsSelf { get; init; }

    public string Constraint { get; init; } = "";

    /// <summary>Columns of the table and those of the target that they equal.</summary>
    public IReadOnlyList<(string Own, string Theirs)> Columns { get; init; } = [];

    public bool IsTargetView { get; init; }

    public bool IsTableView { get; init; }

    /// <summary>Whether the target has the foreign key.</summary>
    public bool IsInverse { get; init; }

    public Junction? Junction { get; init; }

    /// <summary>The function that makes the target's rows.</summary>
    public QName Function { get; init; }

    /// <summary>Whether a function makes one row at most.</summary>
    public bool MakesOne { get; init; }

    public bool IsToOne => Cardinality is Cardinality.ManyToOne or Cardinality.OneToOne || (Cardinality == Cardinality.Computed && MakesOne);
}

/// <param name="Name">Empty when it has none.</param>
/// <param name="Type">Its type as a person reads it.</param>
/// <param name="CastType">Its type where a value is made one; without a length that would cut it.</param>
/// <param name="IsRequired">Whether it has no default.</param>
/// <param name="IsVariadic">Whether it takes the rest.</param>
internal sealed record RoutineParameter(string Name, string Type, string CastType, bool IsRequired, bool IsVariadic);

internal enum Volatility
{
    Volatile,
    Stable,
    Immutable,
}

internal sealed record Routine(QName Name, IReadOnlyList<RoutineParameter> Parameters)
{
    public string? Description { get; init; }

    public Volatility Volatility { get; init; }

    public QName ReturnType { get; init; }

    public bool ReturnsSet { get; init; }

    public bool ReturnsRow { get; init; }

    /// <summary>Whether the row comes through a domain, which PostgREST answers as a list.</summary>
    public bool IsRowAlias { get; init; }

    /// <summary>Columns of what it returns where that is no exposed table.</summary>
    public IReadOnlySet<string>? ReturnColumns { get; init; }

    /// <summary>Settings that it brings and that must stand before it begins.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Settings { get; init; } = [];

    public string? Isolation { get; init; }

    public bool ReturnsScalar => !ReturnsSet && !ReturnsRow;

    public bool ReturnsSetOfScalar => ReturnsSet && !ReturnsRow;

    public bool ReturnsOneRow => !ReturnsSet && ReturnsRow && !IsRowAlias;

    public bool ReturnsOne => !ReturnsSet;

    public bool ReturnsVoid => ReturnsScalar && ReturnType == new QName("pg_catalog", "void");
}

/// <summary>
/// What the catalogs said of the exposed schemas, taken at one moment. It never changes: a reload makes another. Every look-up is by
/// hash, so none depends on how much there is.
/// </summary>
internal sealed class SchemaCache
{
    private readonly Dictionary<QName, Table> tables;
    private readonly Dictionary<QName, Relationship[]> relationships;
    private readonly Dictionary<QName, Routine[]> routines;
    private readonly Dictionary<QName, string> types;
    private readonly Dictionary<(QName? Target, string Media), MediaHandler> handlers;

    public SchemaCache(
        IEnumerable<Table> tables, IEnumerable<Relationship> relationships, IEnumerable<Routine> routines,
        Dictionary<QName, string> types, IEnumerable<MediaHandler> handlers, IReadOnlySet<string> timeZones, ApiSettings settings)
    {
        this.tables = tables.ToDictionary(table => table.Name);
        this.relationships = relationships.GroupBy(each => each.Table).ToDictionary(group => group.Key, group => group.ToArray());
        this.routines = routines.GroupBy(each => each.Name).ToDictionary(group => group.Key, group => group.ToArray());
        this.types = types;
        this.handlers = [];
        foreach (var handler in handlers)
            this.handlers.TryAdd((handler.Target, handler.Media), handler);
        TimeZones = timeZones;
        Settings = settings;
    }

    public ApiSettings Settings { get; }

    /// <summary>What was planned with it.</summary>
    public PlanCache Plans { get; } = new();

    public IReadOnlySet<string> TimeZones { get; }

    public IEnumerable<Table> Tables => tables.Values;

    public IEnumerable<Routine> Routines => routines.Values.SelectMany(overloads => overloads);

    public Table? FindTable(QName name) => tables.GetValueOrDefault(name);

    public IReadOnlyList<Relationship> RelationshipsOf(QName table) => relationships.GetValueOrDefault(table) ?? [];

    public IReadOnlyList<Routine> Overloads(QName name) => routines.GetValueOrDefault(name) ?? [];

    /// <summary>How a statement names a type that a client named, or null when there is none.</summary>
    public string? FindType(string name, string schema)
    {
        foreach (var where in Settings.SearchPath(schema).Prepend("pg_catalog"))
        {
            if (types.TryGetValue(new QName(where, name), out var type))
                return type;
        }

        return null;
    }

    /// <summary>Whether the database brings forms of answers of its own.</summary>
    public bool HasHandlers => handlers.Count > 0;

    /// <summary>The form of answers of a media type, of a function or of a table's rows, or null; of null, that of any rows.</summary>
    public MediaHandler? FindHandler(QName? target, string media) => handlers.GetValueOrDefault((target, media));

    public string? SimilarTable(QName name) =>
        Similarity.Best(tables.Keys.Where(table => table.Schema == name.Schema).Select(table => table.Name), name.Name, 0.75);

    public string? SimilarRoutine(QName name) =>
        Similarity.Best(routines.Keys.Where(routine => routine.Schema == name.Schema).Select(routine => routine.Name), name.Name, 0.75);

    /// <summary>A table with relationships that is named nearly so.</summary>
    public string? SimilarParent(string schema, string name) =>
        Similarity.Best(relationships.Keys.Where(table => table.Schema == schema).Select(table => table.Name), name, 0.33);
}
