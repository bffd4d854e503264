using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Voxbase.Server.Configuration;

/// <summary>
/// What a setting does, in the words of the comment on its property: the compiler writes them to a file beside the assembly, so that
/// they are said once. Without the file there are no descriptions, and nothing else is lost.
/// </summary>
internal sealed partial class Descriptions
{
    private readonly Dictionary<string, XDocument?> files = [];

    public string? Of(PropertyInfo property)
    {
        var member = $"P:{property.DeclaringType!.FullName}.{property.Name}";
        var summary = FileOf(property.DeclaringType.Assembly)?.Descendants("member").FirstOrDefault(m => (string?)m.Attribute("name") == member)?.Element("summary");
        return summary is null ? null : Spaces().Replace(string.Concat(summary.Nodes().Select(Text)), " ").Trim();
    }

    private XDocument? FileOf(Assembly assembly)
    {
        var path = Path.Combine(AppContext.BaseDirectory, assembly.GetName().Name + ".xml");
        if (!files.TryGetValue(path, out var file))
            files[path] = file = File.Exists(path) ? XDocument.Load(path) : null;
        return file;
    }

    private static string Text(XNode node) => node switch
    {
        XText text => text.Value,
        XElement { Name.LocalName: "see" } see => ((string?)see.Attribute("cref"))?.Split('.')[^1] ?? (string?)see.Attribute("langword") ?? "",
        XElement element => string.Concat(element.Nodes().Select(Text)),
        _ => "",
    };

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
