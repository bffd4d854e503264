using Voxbase.Server;
using Voxbase.Server.Commands;

var shell = new Shell();
return await shell.RunAsync(VoxbaseCommand.Create(shell), args);
