using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Voxbase.Testing;
using Voxbase.Tests.Spending;

namespace Voxbase.Tests.Alerting;

public sealed class WebhookTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    // The example of the specification's own libraries.
    [Fact]
    public void The_signature_is_that_of_standard_webhooks() =>
        WebhookSignature.Sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}"u8)
            .ShouldBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");

    [Fact]
    public async Task An_alert_is_delivered_signed_when_it_opens_and_when_it_resolves_each_once()
    {
        await using var db = await cluster.DatabaseAsync();
        await using var receiver = await Receiver.StartAsync();
        var endpoint = await db.Alerts.AddEndpointAsync(Caller.Service, new NewAlertEndpoint { Url = receiver.Url }, Cancel);
        await db.Alerts.AddEndpointAsync(Caller.Service, new NewAlertEndpoint { Url = receiver.Url, Rules = ["latency_p95"] }, Cancel);
        var user = await db.NewUserAsync();
        var call = await CrossAsync(db, user);

        var run = await db.Alerts.RunOnceAsync(Cancel);
        (run.Opened, run.Delivered, run.Failed).ShouldBe((1, 1, 0));
        (await db.Alerts.RunOnceAsync(Cancel)).Delivered.ShouldBe(0);
        var received = receiver.Received.ShouldHaveSingleItem();
        received.Type.ShouldBe("alert.opened");
        var data = received.Json.GetProperty("data");
        data.GetProperty("rule").GetString().ShouldBe("budget_alert");
        data.GetProperty("user_id").GetGuid().ShouldBe(user.UserId!.Value);
        data.GetProperty("value").GetDecimal().ShouldBe(0.9m);
        received.Headers["content-type"].ShouldBe("application/json");
        received.Headers["webhook-signature"].ShouldBe(WebhookSignature.Sign(
            endpoint.Secret!, received.Id, long.Parse(received.Headers["webhook-timestamp"], CultureInfo.InvariantCulture), received.Body));

        await db.LimitAsync(user, 100);
        await DueAsync(db);
        (await db.Alerts.RunOnceAsync(Cancel)).Resolved.ShouldBe(1);
        receiver.Received.Select(one => one.Type).ShouldBe(["alert.opened", "alert.resolved"]);
        receiver.Received[1].Json.GetProperty("data").GetProperty("id").GetGuid().ShouldBe(data.GetProperty("id").GetGuid());
        call.ShouldNotBe(Guid.Empty);
    }

    [Fact]
    public async Task A_delivery_is_tried_again_under_its_id_until_it_is_taken()
    {
        await using var db = await cluster.DatabaseAsync();
        await using var receiver = await Receiver.StartAsync(n => n switch { 1 => 500, 2 => 302, _ => 200 });
        await db.Alerts.AddEndpointAsync(Caller.Service, new NewAlertEndpoint { Url = receiver.Url }, Cancel);
        await CrossAsync(db, await db.NewUserAsync());

        (await db.Alerts.RunOnceAsync(Cancel)).Failed.ShouldBe(1);
        (await db.Alerts.RunOnceAsync(Cancel)).Failed.ShouldBe(0, "not due yet");
        (await db.Alerts.EndpointsAsync(Caller.Service, Cancel)).Single().LastError.ShouldBe("500");
        await DueAsync(db);
        (await db.Alerts.RunOnceAsync(Cancel)).Failed.ShouldBe(1, "a redirect is not followed");
        await DueAsync(db);
        (await db.Alerts.RunOnceAsync(Cancel)).Delivered.ShouldBe(1);

        receiver.Received.Count.ShouldBe(3);
        receiver.Received.Select(one => one.Id).Distinct().ShouldHaveSingleItem();
        receiver.Received.Select(one => Encoding.UTF8.GetString(one.Body)).Distinct().ShouldHaveSingleItem("the same bytes at every attempt");
        (await db.Alerts.EndpointsAsync(Caller.Service, Cancel)).Single().ShouldSatisfyAllConditions(e => e.Waiting.ShouldBe(0), e => e.LastError.ShouldBeNull());
    }

    [Fact]
    public async Task A_delivery_is_given_up_after_so_many_attempts_and_at_once_when_nobody_is_there()
    {
        await using var db = await cluster.DatabaseAsync();
        db.Options.Alerts.DeliveryAttempts = 2;
        await using var failing = await Receiver.StartAsync(_ => 503);
        await using var gone = await Receiver.StartAsync(_ => 410);
        await db.Alerts.AddEndpointAsync(Caller.Service, new NewAlertEndpoint { Url = failing.Url }, Cancel);
        await db.Alerts.AddEndpointAsync(Caller.Service, new NewAlertEndpoint { Url = gone.Url }, Cancel);
        await CrossAsync(db, await db.NewUserAsync());

        (await db.Alerts.RunOnceAsync(Cancel)).Failed.ShouldBe(2);
        await DueAsync(db);
        (await db.Alerts.RunOnceAsync(Cancel)).Failed.ShouldBe(1);
        await DueAsync(db);
        (await db.Alerts.RunOnceAsync(Cancel)).Failed.ShouldBe(0);

        failing.Received.Count.ShouldBe(2);
        gone.Received.Count.ShouldBe(1);
        (await db.Alerts.EndpointsAsync(Caller.Service, Cancel)).Select(e => (e.IsEnabled, e.Dead, e.LastError)).ShouldBe([(true, 1, "503"), (false, 1, "410")]);
    }

    [Fact]
    public async Task Retries_wait_longer_each_time_but_not_for_ever()
    {
        await using var db = await cluster.DatabaseAsync();
        foreach (var (attempts, seconds) in ((int, double)[])[(1, 5), (2, 15), (5, 405), (20, 21_600)])
            db.Alerts.RetryAfter(attempts).TotalSeconds.ShouldBeInRange(seconds * 0.79, seconds * 1.21);
    }

    // Each has claimed its deliveries before it sends: what one sends no other does.
    [Fact]
    public async Task Many_servers_deliver_an_alert_once()
    {
        await using var db = await cluster.DatabaseAsync();
        await using var receiver = await Receiver.StartAsync();
        await db.Alerts.AddEndpointAsync(Caller.Service, new NewAlertEndpoint { Url = receiver.Url }, Cancel);
        await db.ExecuteAsync(Caller.Service, "update vox.alert_rules set every_seconds = 0");
        for (var i = 0; i < 5; i++)
            await CrossAsync(db, await db.NewUserAsync());
        var servers = Enumerable.Range(0, 8)
            .Select(_ => new Alerts(db.Database, new WebhookSender(db.Options, db.Time), [], db.Options, NullLogger<Alerts>.Instance)).ToList();

        for (var round = 0; round < 3; round++)
        {
            var runs = await Task.WhenAll(servers.Select(server => Task.Run(() => server.RunOnceAsync(Cancel))));
            runs.Sum(run => run.Opened).ShouldBe(round == 0 ? 5 : 0);
        }

        // What one of them opened while another claimed is sent by the next run.
        await db.Alerts.RunOnceAsync(Cancel);
        receiver.Received.Count.ShouldBe(5);
        receiver.Received.Select(one => one.Id).Distinct().Count().ShouldBe(5);
        (await db.Alerts.ListAsync(Caller.Service, all: true, cancellationToken: Cancel)).Count.ShouldBe(5);
    }

    [Fact]
    public async Task A_test_is_sent_at_once_and_says_what_was_answered()
    {
        await using var db = await cluster.DatabaseAsync();
        await using var receiver = await Receiver.StartAsync(n => n == 1 ? 204 : 401);
        var endpoint = await db.Alerts.AddEndpointAsync(Caller.Service, new NewAlertEndpoint { Url = receiver.Url }, Cancel);
        var nowhere = await db.Alerts.AddEndpointAsync(Caller.Service, new NewAlertEndpoint { Url = "http://127.0.0.1:1/" }, Cancel);

        (await db.Alerts.TestEndpointAsync(Caller.Service, endpoint.Id, Cancel)).ShouldBe(new DeliveryAttempt(true, "204"));
        (await db.Alerts.TestEndpointAsync(Caller.Service, endpoint.Id, Cancel)).ShouldBe(new DeliveryAttempt(false, "401"));
        (await db.Alerts.TestEndpointAsync(Caller.Service, nowhere.Id, Cancel)).Delivered.ShouldBeFalse();
        receiver.Received[0].Type.ShouldBe("alert.test");
        (await Should.ThrowAsync<VoxbaseException>(db.Alerts.TestEndpointAsync(await db.NewUserAsync(), endpoint.Id, Cancel))).Code.ShouldBe("alert_endpoint_not_found");
    }

    [Fact]
    public async Task A_webhook_that_cannot_or_must_not_be_called_is_refused()
    {
        await using var db = await cluster.DatabaseAsync();
        string[] unacceptable =
        [
            "",
            "alerts.example.org",
            "ftp://alerts.example.org/",
            "file:///etc/passwd",
            "https://user:password@alerts.example.org/",
            "https://alerts.example.org/a b",
            "http://169.254.169.254/latest/meta-data/",
            "http://[fe80::1]/",
            "http://0.0.0.0/",
            "http://[::ffff:169.254.169.254]/",
            "http://239.1.1.1/",
            "https://alerts.example.org/" + new string('x', 2000),
        ];
        foreach (var url in unacceptable)
        {
            var refused = await Should.ThrowAsync<VoxbaseException>(db.Alerts.AddEndpointAsync(Caller.Service, new NewAlertEndpoint { Url = url }, Cancel));
            refused.Code.ShouldBe("alert_endpoint_invalid", url);
        }

        (await db.Alerts.EndpointsAsync(Caller.Service, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Names_that_lead_to_private_addresses_are_not_called_where_that_is_off()
    {
        await using var db = await cluster.DatabaseAsync();
        await using var receiver = await Receiver.StartAsync();
        var named = receiver.Url.Replace("127.0.0.1", "localhost", StringComparison.Ordinal);
        var endpoint = await db.Alerts.AddEndpointAsync(Caller.Service, new NewAlertEndpoint { Url = named }, Cancel);
        (await db.Alerts.TestEndpointAsync(Caller.Service, endpoint.Id, Cancel)).Delivered.ShouldBeTrue();

        db.Options.Alerts.PrivateAddresses = false;
        using var sender = new WebhookSender(db.Options, db.Time);
        var strict = new Alerts(db.Database, sender, [], db.Options, NullLogger<Alerts>.Instance);
        (await strict.TestEndpointAsync(Caller.Service, endpoint.Id, Cancel)).ShouldBe(new DeliveryAttempt(false, "address refused"));
        (await Should.ThrowAsync<VoxbaseException>(strict.AddEndpointAsync(Caller.Service, new NewAlertEndpoint { Url = "http://10.0.0.1/" }, Cancel))).Code.ShouldBe("alert_endpoint_invalid");
        receiver.Received.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Secrets_are_the_admins_and_told_once()
    {
        await using var db = await cluster.DatabaseAsync();
        var (user, admin) = (await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true));
        var added = await db.Alerts.AddEndpointAsync(admin, new NewAlertEndpoint { Url = "https://alerts.example.org/x" }, Cancel);

        added.Secret.ShouldNotBeNull().ShouldStartWith("whsec_");
        (await db.Alerts.EndpointsAsync(admin, Cancel)).Single().Secret.ShouldBeNull();
        (await db.Alerts.EndpointsAsync(user, Cancel)).ShouldBeEmpty();
        await ShouldFailAsync(db.Alerts.AddEndpointAsync(user, new NewAlertEndpoint { Url = "https://alerts.example.org/y" }, Cancel), "forbidden");
        await ShouldFailAsync(db.Alerts.AddEndpointAsync(admin, new NewAlertEndpoint { Url = "https://alerts.example.org/y", Rules = ["no_such"] }, Cancel), "alert_endpoint_invalid");
        await ShouldFailAsync(db.Alerts.DeleteEndpointAsync(user, added.Id, Cancel), "alert_endpoint_not_found");
        await db.Alerts.DeleteEndpointAsync(admin, added.Id, Cancel);
        (await db.Alerts.EndpointsAsync(admin, Cancel)).ShouldBeEmpty();
    }

    /// <summary>Spends nine tenths of a user's limit, and nothing else crosses anything.</summary>
    private static async Task<Guid> CrossAsync(TestDatabase db, Caller user)
    {
        await db.LimitAsync(user, 1);
        var call = await db.CallAsync(user);
        await db.ChargeAsync(call, 0.9m);
        return call;
    }

    /// <summary>Makes everything due.</summary>
    private static async Task DueAsync(TestDatabase db)
    {
        await db.ExecuteAsync(Caller.Service, "update vox.alert_rules set evaluated_at = null");
        await db.ExecuteAsync(Caller.Service, "update vox.alert_deliveries set next_attempt_at = now() where delivered_at is null");
    }

    private static async Task ShouldFailAsync(Task task, string code) => (await Should.ThrowAsync<VoxbaseException>(task)).Code.ShouldBe(code);
}
