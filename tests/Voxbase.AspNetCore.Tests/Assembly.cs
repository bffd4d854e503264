using Voxbase.Testing;

[assembly: AssemblyFixture(typeof(TestCluster))]
