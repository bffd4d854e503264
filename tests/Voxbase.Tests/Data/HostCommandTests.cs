using Voxbase.Data;

namespace Voxbase.Tests.Data;

public sealed class HostCommandTests
{
    [Theory]
    [InlineData("chown")]
    [InlineData("test")]
    [InlineData("no-such-program")]
    public void A_program_is_never_looked_for_in_the_current_folder(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such programs.");

        var located = HostCommand.StartInfo(name, [], user: null).FileName;

        Path.IsPathRooted(located).ShouldBeTrue();
        Path.GetFileName(located).ShouldBe(name);
    }
}
