using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Voxbase.AspNetCore;

/// <summary>
/// Maps paths to handlers. Around each: who asks, and an answer for whatever goes wrong. Nothing is resolved or logged per request.
/// </summary>
internal sealed class VoxbaseRoutes(IEndpointRouteBuilder endpoints, Tokens tokens, int maxBodyBytes, TimeSpan keepAliveInterval, ILogger logger)
{
    private readonly IEndpointRouteBuilder endpoints = endpoints;
    private readonly WebSocketOptions webSockets = new() { KeepAliveInterval = keepAliveInterval };
    private readonly List<RoutePath> paths = [];

    /// <summary>The methods of a path.</summary>
    public RoutePath At(string pattern)
    {
        var path = new RoutePath(this, pattern);
        paths.Add(path);
        return path;
    }

    /// <summary>Every method of a path and of those below it, for a handler that answers for whatever goes wrong itself.</summary>
    public void MapAll(string pattern, RequestDelegate handler) => endpoints.Map(pattern, handler);

    /// <summary>After everything is mapped: every path's other methods, and every other path below /v1.</summary>
    public void Close()
    {
        foreach (var path in paths)
            path.RefuseOtherMethods();
        endpoints.Map("/v1/{**rest}", Catching(PathNotFoundAsync)).WithOrder(int.MaxValue - 1);
    }

    /// <summary>An answer in Voxbase's shape for a path that nobody has.</summary>
    public static Task PathNotFoundAsync(HttpContext context) =>
        Responses.WriteErrorAsync(context, HttpErrors.PathNotFound, $"Nothing is at {Request.Shown(context.Request.Path.Value)}.");

    private RequestDelegate Catching(RequestDelegate handler) => async context =>
    {
        try
        {
            await handler(context);
        }
        catch (Exception e)
        {
            await Responses.WriteErrorAsync(context, e, logger);
        }
    };

    private RequestDelegate Authenticating(Func<Request, Task> handler, string? tokenSubprotocol = null) => async context =>
    {
        try
        {
            var caller = await tokens.VerifyAsync(Credential(context.Request.Headers, tokenSubprotocol), context.RequestAborted);
            // Policies would refuse it as well; but the anon key is public, so it shall not cost a query.
            if (caller.Role == Caller.AnonymousRole)
                throw HttpErrors.SignInRequired.With("The token is the anonymous key.");
            await handler(new Request(context, caller, maxBodyBytes));
        }
        catch (Exception e)
        {
            await Responses.WriteErrorAsync(context, e, logger);
        }
    };

    // Supabase's clients send both: apikey says which project, Authorization who asks.
    private static ReadOnlySpan<char> Credential(IHeaderDictionary headers, string? tokenSubprotocol)
    {
        const string scheme = "Bearer ";
        if (tokenSubprotocol is not null && FromSubprotocol(headers, tokenSubprotocol) is { } token)
        {
            return headers.Authorization.Count == 0 && headers["apikey"].Count == 0
                ? token
                : throw TokenErrors.Invalid.With("The request has a credential in its subprotocols and another in its headers.");
        }

        var authorization = headers.Authorization;
        if (authorization.Count > 1 || headers["apikey"].Count > 1)
            throw TokenErrors.Invalid.With("The request has more than one credential of a kind.");
        if (authorization.Count == 0)
            return headers["apikey"].ToString();
        var text = authorization[0].AsSpan();
        return text.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)
            ? text[scheme.Length..].Trim(' ')
            : throw TokenErrors.Invalid.With("The header Authorization is not `Bearer <token>`.");
    }

    private static string? FromSubprotocol(IHeaderDictionary headers, string prefix)
    {
        var tokens = headers.GetCommaSeparatedValues("Sec-WebSocket-Protocol")
            .Where(each => each.StartsWith(prefix, StringComparison.Ordinal)).Select(each => each[prefix.Length..]).ToList();
        return tokens.Count <= 1 ? tokens.FirstOrDefault() : throw TokenErrors.Invalid.With("The request has more than one credential of a kind.");
    }

    /// <summary>A path and its methods.</summary>
    public sealed class RoutePath(VoxbaseRoutes routes, string pattern)
    {
        private readonly List<string> methods = [];

        public RoutePath Get(Func<Request, Task> handler, Operation operation) => Add(HttpMethods.Get, routes.Authenticating(handler), operation);

        public RoutePath Post(Func<Request, Task> handler, Operation operation) => Add(HttpMethods.Post, routes.Authenticating(handler), operation);

        public RoutePath Put(Func<Request, Task> handler, Operation operation) => Add(HttpMethods.Put, routes.Authenticating(handler), operation);

        /// <summary>
        /// A WebSocket; the handler accepts it. A browser, which cannot set headers, sends its token as a subprotocol that begins so.
        /// </summary>
        public RoutePath GetSocket(Func<Request, Task> handler, string tokenSubprotocol, Operation? operation = null)
        {
            var sockets = routes.endpoints.CreateApplicationBuilder();
            sockets.UseWebSockets(routes.webSockets);
            sockets.Run(routes.Authenticating(handler, tokenSubprotocol));
            return Add(HttpMethods.Get, sockets.Build(), operation);
        }

        /// <summary>A WebSocket for everybody: the handler asks who it is, and accepts it.</summary>
        public RoutePath GetOpenSocket(RequestDelegate handler)
        {
            var sockets = routes.endpoints.CreateApplicationBuilder();
            sockets.UseWebSockets(routes.webSockets);
            sockets.Run(routes.Catching(handler));
            return Add(HttpMethods.Get, sockets.Build(), operation: null);
        }

        public RoutePath Delete(Func<Request, Task> handler, Operation operation) => Add(HttpMethods.Delete, routes.Authenticating(handler), operation);

        /// <summary>For everybody, without a token.</summary>
        public RoutePath GetOpen(RequestDelegate handler, Operation? operation = null) =>
            Add(HttpMethods.Get, routes.Catching(handler), operation is null ? null : operation with { IsOpen = true });

        /// <summary>For who proves itself otherwise than by a token of ours, such as by a signature: the handler asks.</summary>
        public RoutePath PostOpen(RequestDelegate handler, Operation? operation = null) =>
            Add(HttpMethods.Post, routes.Catching(handler), operation is null ? null : operation with { IsOpen = true });

        public void RefuseOtherMethods()
        {
            var allowed = string.Join(", ", methods);
            routes.endpoints.Map(pattern, routes.Catching(context =>
            {
                context.Response.Headers.Allow = allowed;
                return Responses.WriteErrorAsync(
                    context, HttpErrors.MethodNotAllowed, $"The path does not have the method {Request.Shown(context.Request.Method)}.");
            }));
        }

        private RoutePath Add(string method, RequestDelegate handler, Operation? operation)
        {
            methods.Add(method);
            var endpoint = routes.endpoints.MapMethods(pattern, [method], handler);
            if (operation is not null)
                endpoint.WithMetadata(operation, ApiDescription.Shape);
            return this;
        }
    }
}
