namespace Voxbase.Cleaning;

/// <summary>What letters sound like in English: by recognisers, in what they make of strange names too.</summary>
internal static class EnglishSounds
{
    // before letters after sounds
    public const string Rules = """
        . a . AE
        . a Ce# EY
        . a CV EY
        . a # AH
        # a # AH
        . ai . EY
        . air . EH R
        . al k AO
        . all . AO L
        . ar . AA R
        . are # EH R
        . au . AO
        . augh . AO
        . aw . AO
        . ay . EY
        . ae . EY
        . age # IH JH
        . ate # EY T
        . able # AH B AH L
        . b . B
        . bb . B
        . c . K
        . c E S
        . cc . K
        . cc E K S
        . ch . CH
        . chr . K R
        . ck . K
        . cz . CH
        . cia . SH AH
        . ce # S
        . d . D
        . dd . D
        . dg E JH
        . e . EH
        . e # -
        C e # -
        # e # IY
        . e Ce# IY
        . ea . IY
        . ear . IH R
        . ee . IY
        . eer . IH R
        . ei . EY
        . eigh . EY
        . er . ER
        . ed # D
        t ed # IH D
        d ed # IH D
        . es # Z
        . ew . UW
        . ey # IY
        . ey . EY
        . eu . UW
        . el # AH L
        . en # AH N
        . et # IH T
        . em # AH M
        . f . F
        . ff . F
        . g . G
        . g E JH
        . gg . G
        # gh . G
        . gh . -
        . gn # N
        # gn . N
        . gu E G
        . h . HH
        . h # -
        V h C -
        . i . IH
        . i # IY
        . i Ce# AY
        . i V IY
        # i # AY
        . ia # IY AH
        . ie # IY
        . ie . IY
        . igh . AY
        . ign . AY N
        . ind # AY N D
        . ing # IH NG
        . ir . ER
        . io . IY OW
        . j . JH
        . k . K
        . kk . K
        # kn . N
        . l . L
        . ll . L
        . le # AH L
        . m . M
        . mm . M
        . mb # M
        # mc . M AH K
        . n . N
        . nn . N
        . ng . NG G
        . ng # NG
        . ng E N JH
        . nk . NG K
        . o . AA
        . o # OW
        . o Ce# OW
        . o V OW
        . oa . OW
        . oe . OW
        . oh . OW
        . oi . OY
        . oo . UW
        . ook . UH K
        . or . AO R
        . ou . AW
        . ough . AO
        . our . AO R
        . ous # AH S
        . ow . OW
        . ow V OW W
        . own . AW N
        . oy . OY
        . old . OW L D
        . on # AH N
        # on # AA N
        . p . P
        . pp . P
        . ph . F
        # ps . S
        # pf . F
        . q . K
        . qu . K W
        . que # K
        . r . R
        . rr . R
        # rh . R
        . s . S
        V s V Z
        . ss . S
        # s . S
        . sh . SH
        . sch . SH
        . sc E S
        . sz . SH
        . sion . ZH AH N
        . ssion . SH AH N
        . se # Z
        . t . T
        . tt . T
        . tch . CH
        . th . TH
        . tion . SH AH N
        . tial . SH AH L
        . tz . T S
        . ture . CH ER
        . u . AH
        . u # UW
        . u Ce# UW
        . u CV UW
        # u CV Y UW
        . ue # UW
        . ui . UW
        . ur . ER
        . v . V
        . w . W
        V w . -
        V w V W
        . wh . W
        # wr . R
        . x . K S
        # x . Z
        . y . IH
        . y # IY
        . y CV AY
        # y V Y
        . y V Y
        . z . Z
        . zz . T S
        """;

    /// <summary>Capitals whose names are a vowel, alone or after their consonant, written as they sound.</summary>
    public const string Letters = "a ay b bee c see d dee e ee g jee i igh o oh p pee t tee u yoo v vee";
}
