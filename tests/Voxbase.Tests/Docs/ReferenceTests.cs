using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Npgsql;
using Voxbase.AspNetCore;
using Voxbase.Data;
using Voxbase.Server;
using Voxbase.Testing;

namespace Voxbase.Tests.Docs;

/// <summary>The reference pages, written from the code and the catalogs. <c>VOXBASE_UPDATE=1</c> refreshes them.</summary>
public sealed partial class ReferenceTests(TestCluster cluster)
{
    private const string Refresh = "VOXBASE_UPDATE=1 ./test -class Voxbase.Tests.Docs.ReferenceTests";

    private static readonly Assembly[] Assemblies = [typeof(Database).Assembly, typeof(VoxbaseEndpoints).Assembly, typeof(ServerErrors).Assembly];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_page_of_errors_lists_every_code()
    {
        var errors = Errors().Select(error => error.Error).OrderBy(error => error.Code, StringComparer.Ordinal).ToList();
        var text = new StringBuilder(
            """
            # Errors

            Every error that a user can meet has a stable code, a message with the values in it, and a hint with the way out. Over HTTP it is
            `{"code", "message", "details", "hint"}`. Programs branch on the code, never on the message.

            | Code | HTTP | When | What to do |
            |---|---|---|---|

            """.ReplaceLineEndings("\n"));
        foreach (var error in errors)
            text.Append(CultureInfo.InvariantCulture, $"| `{error.Code}` | {Responses.StatusOf(error)} | {Cell(error.Summary)} | {Cell(error.Hint)} |\n");
        await CommittedFile.ShouldHoldAsync("docs/reference/errors.md", text.ToString(), Refresh);
    }

    [Fact]
    public void A_code_means_one_thing_and_reads_like_a_code()
    {
        var errors = Errors().ToList();
        errors.Count.ShouldBeGreaterThan(20);
        errors.GroupBy(error => error.Error.Code).Where(group => group.Select(error => error.Error).Distinct().Count() > 1).Select(group => group.Key).ShouldBeEmpty();
        foreach (var (declared, error) in errors)
        {
            error.Code.ShouldMatch("^[a-z0-9]+(_[a-z0-9]+)*$", declared);
            error.Summary.ShouldEndWith(".", customMessage: declared);
            error.Hint.ShouldNotBeNullOrWhiteSpace(declared);
        }
    }

    [Fact]
    public async Task The_page_of_options_lists_every_property_with_its_default()
    {
        var summaries = Summaries(typeof(Database).Assembly);
        var text = new StringBuilder(
            """
            # Configuration

            Options of the library are set in `services.AddVoxbase(options => …)`, those of the embedded server in `EmbeddedPostgresOptions`.
            They are checked at the start; a value out of its range is named with what it may be.

            """.ReplaceLineEndings("\n"));
        Section("VoxbaseOptions", new VoxbaseOptions(), "");
        Section("EmbeddedPostgresOptions", new EmbeddedPostgresOptions(), "");
        await CommittedFile.ShouldHoldAsync("docs/reference/configuration.md", text.ToString(), Refresh);

        void Section(string title, object options, string prefix)
        {
            var properties = options.GetType().GetProperties().Where(p => p.DeclaringType == options.GetType()).ToList();
            var parts = properties.Where(p => p.PropertyType.Name.EndsWith("Options", StringComparison.Ordinal)).ToList();
            text.Append(CultureInfo.InvariantCulture, $"\n## {title}\n\n| Option | Type | Default | What it does |\n|---|---|---|---|\n");
            foreach (var property in properties.Except(parts))
            {
                var summary = summaries[$"P:{property.DeclaringType!.FullName}.{property.Name}"];
                text.Append(CultureInfo.InvariantCulture, $"| `{prefix}{property.Name}` | `{NameOf(property)}` | {Default(property.GetValue(options))} | {Cell(summary)} |\n");
            }

            foreach (var part in parts)
            {
                text.Append(CultureInfo.InvariantCulture, $"\n{summaries[$"P:{part.DeclaringType!.FullName}.{part.Name}"]}\n");
                Section($"{title}.{part.Name}", part.GetValue(options)!, $"{prefix}{part.Name}.");
            }
        }
    }

    [Fact]
    public async Task The_page_of_the_schema_lists_every_table_and_column()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await using var connection = await db.Database.OpenWithoutCallerAsync(Cancel);
        var text = new StringBuilder(
            """
            # Schema

            The tables of schema `vox`. Keys, checks, policies and grants are in
            [`schema.sql`](../../src/Voxbase/Migrations/schema.sql). Ids are UUIDv7, times `timestamptz`, money US dollars in columns named `…_usd`, durations
            milliseconds in columns named `…_ms`.

            """.ReplaceLineEndings("\n"));
        await using (var command = new NpgsqlCommand(
            """
            select c.relname::text, coalesce(obj_description(c.oid, 'pg_class'), ''), a.attname::text, format_type(a.atttypid, a.atttypmod),
              not a.attnotnull, coalesce(case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) else 'generated' end, ''),
              coalesce(col_description(c.oid, a.attnum), '')
            from pg_class c
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
            where c.relnamespace = 'vox'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            order by c.relname collate "C", a.attnum
            """, connection))
        await using (var rows = await command.ExecuteReaderAsync(Cancel))
        {
            var table = "";
            while (await rows.ReadAsync(Cancel))
            {
                if (table != rows.GetString(0))
                {
                    table = rows.GetString(0);
                    rows.GetString(1).ShouldNotBeEmpty($"table {table} has no comment");
                    text.Append(CultureInfo.InvariantCulture, $"\n## {table}\n\n{rows.GetString(1)}\n\n| Column | Type | Null | Default | Meaning |\n|---|---|---|---|---|\n");
                }

                var type = rows.GetString(3).Replace("timestamp with time zone", "timestamptz", StringComparison.Ordinal)
                    // Newer versions quote the names of ours that have become keywords.
                    .Replace("\"", "", StringComparison.Ordinal);
                var initial = rows.GetString(5);
                text.Append(
                    CultureInfo.InvariantCulture,
                    $"| `{rows.GetString(2)}` | `{type}` | {(rows.GetBoolean(4) ? "yes" : "")} | {(initial.Length == 0 ? "" : $"`{Cell(initial)}`")} | {Cell(rows.GetString(6))} |\n");
            }
        }

        text.Append("\n## Closed sets\n\n| Type | Values |\n|---|---|\n");
        await using (var command = new NpgsqlCommand(
            """
            select t.typname::text, string_agg('`' || e.enumlabel || '`', ', ' order by e.enumsortorder)
            from pg_type t join pg_enum e on e.enumtypid = t.oid
            where t.typnamespace = 'vox'::regnamespace
            group by t.typname order by t.typname collate "C"
            """, connection))
        await using (var rows = await command.ExecuteReaderAsync(Cancel))
        {
            while (await rows.ReadAsync(Cancel))
                text.Append(CultureInfo.InvariantCulture, $"| `vox.{rows.GetString(0)}` | {rows.GetString(1)} |\n");
        }

        await CommittedFile.ShouldHoldAsync("docs/reference/schema.md", text.ToString(), Refresh);
    }

    [Fact]
    public async Task Links_between_the_documents_lead_somewhere()
    {
        var broken = new List<string>();
        foreach (var file in Directory.EnumerateFiles(CommittedFile.Root, "*.md", SearchOption.TopDirectoryOnly)
            .Concat(Directory.EnumerateFiles(Path.Combine(CommittedFile.Root, "docs"), "*.md", SearchOption.AllDirectories)))
        {
            foreach (Match link in Link().Matches(await File.ReadAllTextAsync(file, Cancel)))
            {
                var target = link.Groups[1].Value;
                if (!target.Contains("://", StringComparison.Ordinal) && !Path.Exists(Path.Combine(Path.GetDirectoryName(file)!, target)))
                    broken.Add($"{Path.GetRelativePath(CommittedFile.Root, file)}: {target}");
            }
        }

        broken.ShouldBeEmpty();
    }

    private static IEnumerable<(string Declared, ErrorCode Error)> Errors() =>
        from assembly in Assemblies
        from type in assembly.GetTypes()
        where type is { IsAbstract: true, IsSealed: true } && type.Name.EndsWith("Errors", StringComparison.Ordinal)
        from property in type.GetProperties(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
        where property.PropertyType == typeof(ErrorCode)
        select ($"{type.Name}.{property.Name}", (ErrorCode)property.GetValue(null)!);

    private static Dictionary<string, string> Summaries(Assembly assembly) =>
        XDocument.Load(Path.ChangeExtension(assembly.Location, ".xml")).Descendants("member")
            .Where(member => member.Element("summary") is not null)
            .ToDictionary(member => member.Attribute("name")!.Value, member => Plain(member.Element("summary")!));

    private static string Plain(XElement summary)
    {
        var text = new StringBuilder();
        foreach (var node in summary.Nodes())
        {
            text.Append(node switch
            {
                XElement { Name.LocalName: "see" } see => $"`{see.Attribute("cref")?.Value.Split('.')[^1] ?? see.Attribute("langword")?.Value}`",
                XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
                XElement other => other.Value,
                _ => ((XText)node).Value,
            });
        }

        return Spaces().Replace(text.ToString(), " ").Trim();
    }

    private static string NameOf(PropertyInfo property)
    {
        var nullable = new NullabilityInfoContext().Create(property).ReadState == NullabilityState.Nullable;
        return Name(Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType) + (nullable ? "?" : "");

        static string Name(Type type) => type == typeof(string) ? "string" : type == typeof(int) ? "int" : type == typeof(bool) ? "bool"
            : type.IsGenericType ? $"{type.Name.Split('`')[0]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>" : type.Name;
    }

    private static string Default(object? value) => value switch
    {
        null => "",
        bool flag => flag ? "`true`" : "`false`",
        string text => text.Length == 0 ? "" : $"`{text}`",
        System.Collections.ICollection { Count: 0 } => "",
        System.Collections.IEnumerable many => string.Join(", ", many.Cast<object>().Select(item => $"`{item}`")),
        IFormattable plain => $"`{plain.ToString(null, CultureInfo.InvariantCulture)}`",
        _ => $"`{value}`",
    };

    private static string Cell(string text) => text.ReplaceLineEndings(" ").Replace("|", "\\|", StringComparison.Ordinal);

    [GeneratedRegex(@"\]\(([^)#\s]+)(#[^)]*)?\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
