using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using Voxbase.AspNetCore;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests;

/// <summary>What ARCHITECTURE.md says is absent.</summary>
public sealed partial class LayeringTests
{
    private static readonly string[] Forbidden =
        ["Microsoft.AspNetCore", "System.CommandLine", "Spectre.", "Dapper", "Microsoft.EntityFrameworkCore"];

    [Fact]
    public void The_library_knows_nothing_of_http_or_the_command_line()
    {
        var references = typeof(Database).Assembly.GetReferencedAssemblies().Select(a => a.Name!).ToList();
        references.ShouldContain("Npgsql");
        references.Where(name => Forbidden.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal))).ShouldBeEmpty();
        references.Where(name => name.StartsWith("Voxbase", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    [Fact]
    public void The_http_layer_knows_nothing_of_the_server()
    {
        var references = typeof(VoxbaseEndpoints).Assembly.GetReferencedAssemblies().Select(a => a.Name!).ToList();
        references.Where(name => name.StartsWith("Voxbase", StringComparison.Ordinal)).ShouldBe(["Voxbase"]);
        references.Where(name => name is "Spectre.Console" or "System.CommandLine").ShouldBeEmpty();
    }

    // From the project files, because the compiler leaves out of an assembly what it doesn't use.
    [Theory]
    [InlineData("src/Voxbase/Voxbase.csproj", "")]
    [InlineData("src/Voxbase.AspNetCore/Voxbase.AspNetCore.csproj", "Voxbase")]
    [InlineData("src/Voxbase.Server/Voxbase.Server.csproj", "Voxbase Voxbase.AspNetCore")]
    public async Task Each_project_refers_only_downwards(string project, string allowed)
    {
        var text = await File.ReadAllTextAsync(Path.Combine(CommittedFile.Root, project), TestContext.Current.CancellationToken);
        var references = ProjectReference().Matches(text).Select(m => m.Groups[1].Value);
        references.ShouldBeSubsetOf(allowed.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        if (project.EndsWith("Voxbase.AspNetCore.csproj", StringComparison.Ordinal))
            text.ShouldNotMatch("Spectre|System.CommandLine");
    }

    // The metadata, not the source: neither a using nor an alias hides a call.
    [Fact]
    public void Nothing_but_data_opens_a_connection()
    {
        using var file = File.OpenRead(typeof(Database).Assembly.Location);
        using var image = new PEReader(file);
        var reader = image.GetMetadataReader();
        var opening = new HashSet<int>();
        foreach (var handle in reader.MemberReferences)
        {
            var member = reader.GetMemberReference(handle);
            if (member.Parent.Kind != HandleKind.TypeReference)
                continue;
            var type = reader.GetString(reader.GetTypeReference((TypeReferenceHandle)member.Parent).Name);
            var name = reader.GetString(member.Name);
            if ((type is "NpgsqlConnection" or "NpgsqlDataSourceBuilder" or "NpgsqlSlimDataSourceBuilder" && name == ".ctor")
                || (type is "NpgsqlDataSource" && name is "Create" or "OpenConnection" or "OpenConnectionAsync" or "CreateConnection"))
                opening.Add(System.Reflection.Metadata.Ecma335.MetadataTokens.GetToken(handle));
        }

        opening.Count.ShouldBeGreaterThan(0);
        var users = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var handle in reader.MethodDefinitions)
        {
            var method = reader.GetMethodDefinition(handle);
            if (method.RelativeVirtualAddress == 0)
                continue;
            var body = image.GetMethodBody(method.RelativeVirtualAddress).GetILBytes()!;
            for (var i = 0; i + 4 < body.Length; i++)
            {
                // call, callvirt and newobj, each followed by the token. A byte of data that looks like one would only find too much.
                if (body[i] is 0x28 or 0x6F or 0x73 && opening.Contains(BitConverter.ToInt32(body, i + 1)))
                    users.Add(NamespaceOf(method.GetDeclaringType()));
            }
        }

        users.ShouldBe(["Voxbase.Data"]);

        // Nested types, such as those of async methods, have their outermost type's.
        string NamespaceOf(TypeDefinitionHandle handle)
        {
            var type = reader.GetTypeDefinition(handle);
            while (!type.GetDeclaringType().IsNil)
                type = reader.GetTypeDefinition(type.GetDeclaringType());
            return reader.GetString(type.Namespace);
        }
    }

    // What passes every policy says so in its name, and is used where it is meant to be.
    [Fact]
    public async Task Work_without_a_caller_is_done_in_these_places_alone()
    {
        var users = new List<string>();
        foreach (var file in Directory.EnumerateFiles(Path.Combine(CommittedFile.Root, "src"), "*.cs", SearchOption.AllDirectories))
        {
            var path = Path.GetRelativePath(CommittedFile.Root, file);
            if (!path.Contains("/obj/", StringComparison.Ordinal)
                && (await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).Contains("WithoutCallerAsync(", StringComparison.Ordinal))
                users.Add(path);
        }

        users.Order(StringComparer.Ordinal).ShouldBe(
        [
            // Takes advisory locks, reads and writes nothing.
            "src/Voxbase/Capture/CaptureLeases.cs",
            "src/Voxbase/Data/Database.cs",
            "src/Voxbase/Data/Migrator.cs",
            "src/Voxbase/Data/SchemaDump.cs",
            // The catalogs, and listening for their changes.
            "src/Voxbase/DataApi/SchemaCacheReader.cs",
            "src/Voxbase/DataApi/SchemaCaches.cs",
            // Reads where the write-ahead log is.
            "src/Voxbase/Feed/Feed.cs",
            // Asks policies under each subscriber's own role and claims.
            "src/Voxbase/Feed/FeedAuthorizer.cs",
            // Looks after the replication slot.
            "src/Voxbase/Feed/FeedSource.cs",
        ]);
    }

    [GeneratedRegex("""<ProjectReference Include="[^"]*?([^/"]+)\.csproj" """)]
    private static partial Regex ProjectReference();
}
