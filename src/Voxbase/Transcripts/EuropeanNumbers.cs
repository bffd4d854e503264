namespace Voxbase.Cleaning;
internal static class EuropeanNumbers { public static void Write(TurnText turn) { } public static bool WriteWhole(TurnText turn) => false; }
