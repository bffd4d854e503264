using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace Voxbase.AspNetCore;

/// <summary><c>/openapi.json</c>: the operations, as their endpoints describe them.</summary>
internal static class ApiDescription
{
    private const string DocumentName = "voxbase";
    private const string SchemeName = "bearer";
    private const string ApiKeySchemeName = "apikey";

    /// <summary>Marks an endpoint as one with a description. Parameters come from <see cref="Operation"/>, not from the method.</summary>
    public static MethodInfo Shape { get; } = typeof(ApiDescription).GetMethod(nameof(Describe), BindingFlags.NonPublic | BindingFlags.Static)!;

    public static IServiceCollection Add(IServiceCollection services)
    {
        // Schemas take their names from the application's JSON options; these say how Voxbase's own types are spelled, and no others.
        services.Configure<JsonOptions>(json => json.SerializerOptions.TypeInfoResolverChain.Insert(
            0, JsonTypes.Default.WithAddedModifier(UseSnakeCase)));
        return services.AddOpenApi(DocumentName, options =>
        {
            options.ShouldInclude = description => description.ActionDescriptor.EndpointMetadata.OfType<Operation>().Any();
            options.AddSchemaTransformer(Spell);
            options.AddOperationTransformer(DescribeAsync);
            options.AddDocumentTransformer(Introduce);
        });
    }

    public static void Map(VoxbaseRoutes routes, IServiceProvider services)
    {
        var provider = services.GetKeyedService<IOpenApiDocumentProvider>(DocumentName)
            ?? throw new InvalidOperationException("Call services.AddVoxbaseHttp() before app.MapVoxbase().");
        // It never changes, so it is made once, when first asked for.
        var document = new Lazy<Task<byte[]>>(() => MakeAsync(provider));
        routes.At("/openapi.json").GetOpen(async context =>
        {
            var json = await document.Value;
            context.Response.ContentType = "application/json; charset=utf-8";
            context.Response.ContentLength = json.Length;
            context.Response.Headers.XContentTypeOptions = "nosniff";
            await context.Response.BodyWriter.WriteAsync(json, context.RequestAborted);
        });
    }

    private static async Task<byte[]> MakeAsync(IOpenApiDocumentProvider provider)
    {
        var document = await provider.GetOpenApiDocumentAsync(CancellationToken.None);
        using var json = new MemoryStream();
        await document.SerializeAsJsonAsync(json, OpenApiSpecVersion.OpenApi3_1, CancellationToken.None);
        return json.ToArray();
    }

    private static Task Describe(HttpContext context) => Task.FromException(new NotSupportedException(context.Request.Path));

    private static void UseSnakeCase(JsonTypeInfo type)
    {
        if (type.Type.Namespace?.StartsWith(nameof(Voxbase), StringComparison.Ordinal) != true)
            return;
        foreach (var property in type.Properties)
        {
            if (property.AttributeProvider is MemberInfo member)
                property.Name = JsonNamingPolicy.SnakeCaseLower.ConvertName(member.Name);
        }
    }

    // The application's own options may take numbers from text; Voxbase reads and writes numbers as numbers and money as text.
    private static Task Spell(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        var type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
        var isNullable = type != context.JsonTypeInfo.Type;
        if (type.IsEnum && type.Namespace == nameof(Voxbase))
        {
            schema.Type = isNullable ? JsonSchemaType.String | JsonSchemaType.Null : JsonSchemaType.String;
            schema.Enum = [.. VoxbaseJson.NamesOf(type).Select(name => (JsonNode)name), .. isNullable ? [JsonNullSentinel.JsonNull] : (JsonNode[])[]];
        }
        else if (type == typeof(decimal) && context.JsonPropertyInfo?.NumberHandling is { } handling && handling.HasFlag(JsonNumberHandling.WriteAsString))
        {
            schema.Type &= ~JsonSchemaType.Number;
            schema.Format = "decimal";
        }
        else if (type == typeof(int) || type == typeof(long) || type == typeof(decimal))
        {
            schema.Type &= ~JsonSchemaType.String;
            schema.Pattern = null;
        }

        return Task.CompletedTask;
    }

    private static async Task DescribeAsync(
        OpenApiOperation described, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        var operation = context.Description.ActionDescriptor.EndpointMetadata.OfType<Operation>().Single();
        var document = context.Document!;
        described.OperationId = operation.Id;
        described.Summary = operation.Summary;
        described.Tags = new HashSet<OpenApiTagReference> { new(operation.Tag, document) };
        described.Parameters = [.. PathParameters(context.Description.RelativePath ?? ""), .. await QueryParametersAsync(operation)];
        described.Responses = [];
        foreach (var (status, type) in operation.Answers)
        {
            var schema = await SchemaAsync(type);
            described.Responses[status.ToString(CultureInfo.InvariantCulture)] = Answer(
                status == StatusCodes.Status201Created ? "Made." : status == StatusCodes.Status503ServiceUnavailable ? "Not ready." : "Done.",
                operation.BodyMayBeArray ? OneOrMany(schema) : schema);
        }

        if (operation.Body is { } body)
        {
            var schema = await SchemaAsync(body);
            described.RequestBody = new OpenApiRequestBody
            {
                Required = !operation.BodyIsOptional,
                Content = Json(operation.BodyMayBeArray ? OneOrMany(schema) : schema),
            };
        }

        if (operation.IsOpen && operation.Errors.Length == 0)
            return;
        if (!operation.IsOpen)
        {
            described.Security =
            [
                new() { [new OpenApiSecuritySchemeReference(SchemeName, document)] = [] },
                new() { [new OpenApiSecuritySchemeReference(ApiKeySchemeName, document)] = [] },
            ];
        }

        var errors = ErrorsOf(operation, described.Parameters.Any(p => p.In == ParameterLocation.Path));
        var error = await SchemaAsync(typeof(ErrorBody));
        foreach (var group in errors.GroupBy(Responses.StatusOf).OrderBy(g => g.Key))
        {
            described.Responses[group.Key.ToString(CultureInfo.InvariantCulture)] =
                Answer(string.Join(", ", group.Select(e => e.Code).Distinct()), error);
        }

        async Task<IOpenApiSchema> SchemaAsync(Type type)
        {
            var name = type.Name;
            if (document.Components?.Schemas?.ContainsKey(name) != true)
                document.AddComponent(name, await context.GetOrCreateSchemaAsync(type, cancellationToken: cancellationToken));
            return new OpenApiSchemaReference(name, document);
        }

        async Task<List<IOpenApiParameter>> QueryParametersAsync(Operation of)
        {
            var parameters = new List<IOpenApiParameter>();
            foreach (var (name, (type, description)) in of.Query)
            {
                parameters.Add(new OpenApiParameter
                {
                    Name = name,
                    In = ParameterLocation.Query,
                    Description = description,
                    Schema = type.IsEnum ? Spelled(type) : await context.GetOrCreateSchemaAsync(type, cancellationToken: cancellationToken),
                });
            }

            return parameters;
        }
    }

    private static IEnumerable<ErrorCode> ErrorsOf(Operation operation, bool hasPath)
    {
        foreach (var error in operation.Errors)
            yield return error;
        yield return Data.DataErrors.Unavailable;
        yield return HttpErrors.Internal;
        // What proves itself otherwise than by a token says so in errors of its own.
        if (operation.IsOpen)
            yield break;
        yield return TokenErrors.Missing;
        yield return TokenErrors.Invalid;
        yield return TokenErrors.Expired;
        yield return HttpErrors.SignInRequired;
        if (hasPath)
            yield return HttpErrors.IdInvalid;
        if (operation.Body is null)
        {
            yield return HttpErrors.QueryInvalid;
        }
        else
        {
            yield return HttpErrors.BodyInvalid;
            yield return HttpErrors.FieldUnknown;
            yield return ConversationErrors.InputInvalid;
            yield return Data.DataErrors.ValueInvalid;
            yield return HttpErrors.BodyTooLarge;
            yield return HttpErrors.ContentTypeUnsupported;
        }
    }

    private static IEnumerable<IOpenApiParameter> PathParameters(string path) =>
        path.Split('/').Where(part => part.StartsWith('{')).Select(part => new OpenApiParameter
        {
            Name = part.Trim('{', '}'),
            In = ParameterLocation.Path,
            Required = true,
            Schema = new OpenApiSchema { Type = JsonSchemaType.String, Format = part is "{call_id}" or "{tier}" or "{rule}" or "{egress_id}" ? null : "uuid" },
        });

    private static OpenApiSchema Spelled(Type type) =>
        new() { Type = JsonSchemaType.String, Enum = [.. VoxbaseJson.NamesOf(type).Select(name => (JsonNode)name)] };

    private static OpenApiSchema OneOrMany(IOpenApiSchema one) =>
        new() { OneOf = [one, new OpenApiSchema { Type = JsonSchemaType.Array, Items = one }] };

    private static OpenApiResponse Answer(string description, IOpenApiSchema schema) => new() { Description = description, Content = Json(schema) };

    private static Dictionary<string, OpenApiMediaType> Json(IOpenApiSchema schema) => new() { ["application/json"] = new() { Schema = schema } };

    private static Task Introduce(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        document.Info = new OpenApiInfo
        {
            Title = "Voxbase",
            Version = typeof(ApiDescription).Assembly.GetName().Version?.ToString(3) ?? "0",
            Description = "The system of record for voice AI, on PostgreSQL. Every error is {code, message, details, hint}.",
        };
        // Where it is reached is the asker's knowledge.
        document.Servers = [];
        document.Tags = document.Paths.Values
            .SelectMany(path => path.Operations ?? [])
            .SelectMany(operation => operation.Value.Tags ?? Enumerable.Empty<OpenApiTagReference>())
            .Select(tag => tag.Reference.Id!)
            .Distinct()
            .Select(name => new OpenApiTag { Name = name })
            .ToHashSet();
        document.AddComponent<IOpenApiSecurityScheme>(SchemeName, new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = "bearer",
            BearerFormat = "JWT",
            Description = "A user's token, or the service_role key. Goes before apikey.",
        });
        document.AddComponent<IOpenApiSecurityScheme>(ApiKeySchemeName, new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.ApiKey,
            In = ParameterLocation.Header,
            Name = "apikey",
            Description = "The same in a header of its own, as Supabase's clients send it.",
        });
        return Task.CompletedTask;
    }
}
