using System.Text.Json;
using Aspire.Hosting;

namespace Hazumu.Tests.Model;

public sealed class DoctorTests
{
    [Theory]
    [InlineData("""{"DockerRootDir": "/data/docker"}""", "/data/docker/volumes")]
    [InlineData("""{"store": {"volumePath": "/var/lib/containers/storage/volumes"}}""", "/var/lib/containers/storage/volumes")]
    [InlineData("""{"DockerRootDir": ""}""", "/var/lib/docker/volumes")]
    [InlineData("""{"ServerErrors": ["no daemon"]}""", "/var/lib/docker/volumes")]
    public void Volumes_are_where_the_engine_says(string info, string expected) =>
        Assert.Equal(expected, DoctorBuilderExtensions.FindVolumesFolder(JsonDocument.Parse(info).RootElement));
}
