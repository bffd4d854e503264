using Voxbase.Server.Configuration;

namespace Voxbase.Server.Tests.Configuration;

public sealed class SettingsTests
{
    [Fact]
    public void Flags_win_over_variables_and_variables_over_defaults()
    {
        var settings = Settings.Read([new Flag("Database", "--database", "Host=flag")], [("VOXBASE_DATABASE", "Host=env"), ("VOXBASE_MIGRATEATSTART", "no")]);

        settings.Voxbase.Database.ShouldBe("Host=flag");
        settings.Voxbase.MigrateAtStart.ShouldBeFalse();
        settings.Voxbase.Conversations.AppendBatchTurns.ShouldBe(new ConversationsOptions().AppendBatchTurns);
    }

    [Fact]
    public void On_two_processors_a_server_appends_in_one_lane_unless_told_otherwise()
    {
        Settings.AppendLanesOn(1).ShouldBe(1);
        Settings.AppendLanesOn(2).ShouldBe(1);
        Settings.AppendLanesOn(3).ShouldBe(new ConversationsOptions().AppendLanes);
        Settings.Read([], []).Voxbase.Conversations.AppendLanes.ShouldBe(Settings.AppendLanesOn(Environment.ProcessorCount));
        Settings.Read([], [("VOXBASE_CONVERSATIONS__APPENDLANES", "5")]).Voxbase.Conversations.AppendLanes.ShouldBe(5);
    }

    [Fact]
    public void Every_setting_can_be_handed_to_another_host()
    {
        var settings = Settings.Read([], [("VOXBASE_CONVERSATIONS__MAXPAGESIZE", "77"), ("VOXBASE_TOKENS__LEEWAY", "10s")]);
        var options = new VoxbaseOptions();

        settings.Configure(options);

        options.Conversations.MaxPageSize.ShouldBe(77);
        options.Tokens.Leeway.ShouldBe(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void Settings_of_the_database_are_named_after_the_variable()
    {
        var settings = Settings.Read([], [("VOXBASE_EMBEDDED__SETTINGS__WORK_MEM", "16MB")]);

        settings.Embedded.Settings["work_mem"].ShouldBe("16MB");
    }

    [Theory]
    [InlineData("Host=db;Username=app;Password=hush;Database=calls", "Host=db;Username=app;Password=••••••;Database=calls")]
    [InlineData("Host=db;pwd = hush", "Host=db;pwd = ••••••")]
    [InlineData("Host=db;Password=\"hu;sh\";Database=calls", "Host=db;Password=••••••;Database=calls")]
    [InlineData("postgresql://app:hu@sh@db:5432/calls", "postgresql://app:••••••@db:5432/calls")]
    [InlineData("postgresql://db/calls?password=hush&sslmode=require", "postgresql://db/calls?password=••••••&sslmode=require")]
    [InlineData("postgresql://app@db/calls", "postgresql://app@db/calls")]
    public void A_connection_string_is_shown_without_its_password(string connection, string shown) =>
        Secrets.MaskConnection(connection).ShouldBe(shown);

    [Theory]
    [InlineData("90s", 90)]
    [InlineData("30m", 1800)]
    [InlineData("1h", 3600)]
    [InlineData("7d", 604800)]
    public void Durations_are_written_as_people_write_them(string text, int seconds)
    {
        Durations.TryParse(text, out var duration).ShouldBeTrue();
        duration.ShouldBe(TimeSpan.FromSeconds(seconds));
    }

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("h")]
    [InlineData("-1h")]
    [InlineData("1 h")]
    [InlineData("999999999d")]
    public void What_is_no_duration_is_refused(string text) => Durations.TryParse(text, out _).ShouldBeFalse();
}
