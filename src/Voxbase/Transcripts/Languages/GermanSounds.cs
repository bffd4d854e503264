namespace Voxbase.Cleaning;

/// <summary>What letters sound like in German.</summary>
internal static class GermanSounds
{
    // before letters after sounds
    public const string Rules = """
        . a . AA
        . aa . AA
        . ai . AY
        . au . AW
        . ay . AY
        . ae . EH
        . äu . OY
        . ä . EH
        . b . B
        . bb . B
        . b # P
        . b s P
        . b t P
        . bb # P
        . c . K
        . c E T S
        . c ä T S
        . ch . KH
        # ch . K
        # ch E SH
        # chr . K R
        . chs . K S
        . ck . K
        . d . D
        . dd . D
        . d # T
        . d s T
        . dt . T
        . dsch . JH
        . e . EH
        . e # AH
        . ee . EY
        . eh . EY
        . ei . AY
        . ey . AY
        . eu . OY
        . eau . OW
        . er # ER
        . ern # ER N
        . ers # ER S
        . en # AH N
        . el # AH L
        . em # AH M
        . f . F
        . g . G
        . g # K
        . g s K
        . g t K
        . gg . G
        . gh . G
        . h . HH
        V h . -
        . i . IH
        . i # IY
        . ie . IY
        . ih . IY
        . ia # IY AH
        . ig # IH KH
        . io . IY OW
        . j . Y
        . k . K
        . l . L
        . m . M
        . n . N
        . ng . NG
        . nk . NG K
        . o . AO
        . o # OW
        . oh . OW
        . oo . OW
        . oe . OE
        . ow # OW
        . ou . UW
        . ö . OE
        . p . P
        . pf . P F
        # pf . F
        . ph . F
        . q . K
        . qu . K V
        . r . R
        . rh . R
        . s . S
        . s V Z
        k s V S
        p s V S
        t s V S
        . ss . S
        . sch . SH
        . sh . SH
        # sp . SH P
        # st . SH T
        . ß . S
        . t . T
        . th . T
        . tion . T S Y OW N
        . tsch . CH
        . tz . T S
        . u . UH
        . u # UW
        . uh . UW
        . ue . UE
        . ü . UE
        . v . F
        V v V V
        . w . V
        . x . K S
        . y . UE
        . y # IY
        # y V Y
        . z . T S
        . zz . T S
        """;

    /// <summary>Capitals whose names are a vowel, alone or after their consonant, written as they sound.</summary>
    public const string Letters = "a ah b beh c zeh d deh e eh g geh i ih o oh p peh t teh u uh v fau";
}
