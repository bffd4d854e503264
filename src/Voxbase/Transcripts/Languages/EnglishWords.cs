namespace Voxbase.Cleaning;

/// <summary>English.</summary>
internal static class EnglishWords
{
    public static readonly (Words, string)[] Lists =
    [
        (Words.Filler, "um umm ummm uhm uhmm uhhm uh uhh uhhh uhhhh er err erm errm ehm hm hmm hmmm mm mmm ah ahh ahm eh ehh ugh mhm aah"),
        (Words.Function | Words.Pronoun, "i you he she it we they me him her us them myself yourself himself herself itself ourselves themselves this that these those who which someone somebody something anyone anything everyone everybody everything one"),
        (Words.Function | Words.Pronoun | Words.Auxiliary, "i'm you're he's she's it's we're they're i've you've we've they've i'll you'll he'll she'll it'll we'll they'll i'd you'd he'd she'd we'd they'd that's there's what's who's here's let's that'll there'll where's how's"),
        (Words.Function | Words.Determiner, "the a an this that these those my your his her its our their some any each every all both another"),
        (Words.Function | Words.Preposition, "of in on at to for with by from about into onto over under after before between through during without within against among across behind beyond upon off out up down around near toward towards until since per via as like than"),
        (Words.Function | Words.Auxiliary, "is are was were be been being am do does did done doing have has had having will would can could shall should may might must isn't aren't wasn't weren't don't doesn't didn't haven't hasn't hadn't won't wouldn't can't couldn't shouldn't mustn't ain't gonna"),
        (Words.Function | Words.Question, "what who whom whose which where when why how"),
        (Words.Function | Words.Conjunction, "and or but so because if when while though although unless whether than nor yet that as"),
        (Words.Function, "not no yes yeah there here then now just also very too well only even still again really quite much more most many such own same other please okay ok oh"),
        (Words.Negation, "no not never none nothing nobody nowhere neither nor cannot can't don't won't doesn't didn't isn't aren't wasn't weren't haven't hasn't hadn't wouldn't couldn't shouldn't mustn't ain't without"),
        (Words.Doubles, "hear that had very really so yeah yes okay ok well bye no many more much too long far way again blah ha now there her had's hard please knock"),
        (Words.DoublesAnywhere, "long far hear very really so yeah yes no bye many blah ha now please knock"),
        (Words.Number, "zero oh o one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion point double triple"),
        (Words.Prefix, "non pre post co re multi semi ex anti sub inter intra mid self well over under pro de un bi tri mini micro macro cross quasi ultra full part high low long short near two three four five six seven eight nine ten half first second third year month day week hour"),
        (Words.Common, Common),
        (Words.Known | Words.Common, Places),
        (Words.Known, FirstNames),
    ];

    public static readonly EditPhrase[] EditPhrases =
    [
        new(["you", "know"],
            Phrases.Words("do does did don't didn't doesn't if that as what how when where why who which let would will could can should might may must to did's because until once than whether than far all the like sure letting lets have things thing people everything anything something"),
            Phrases.Words("what how if it that's that who why where when which whether about the this me him her them your my our his each everything nothing anything something exactly better more full very damn well i'm in-depth somebody someone is are was were")),
        new(["i", "mean"],
            Phrases.Words("what you that if as how do which don't didn't when whatever and because say things"),
            Phrases.Words("it that to what by the is was this for business him her you them well when no")),
    ];

    public const string Cues = """
        or no make that
        no make that
        or make that
        or rather
        no rather
        no wait
        or wait
        oh wait
        wait no
        no sorry
        sorry no
        or sorry
        oh sorry
        oops sorry
        no i mean
        or i mean
        or no i mean
        wait i mean
        sorry i mean
        sorry i meant
        no i meant
        or i meant
        i meant to say
        or meant to say
        no meant to say
        i meant to ask
        no i'm sorry
        no actually
        or actually
        actually no
        no actually sorry
        scratch that
        no scratch that
        better yet
        no better yet
        or better yet
        oops i meant
        oops i mean
        oops no
        excuse me i meant
        excuse me i mean
        excuse me no
        no excuse me
        no change that to
        no make it
        or should i say
        or rather no
        or no wait
        no wait sorry
        no sorry i meant
        no sorry i mean
        no let me ask
        no tell me
        no i want to know
        no no i want to know
        no let's say
        no instead
        no hold on
        no hang on
        or hold on
        wait no sorry
        no no wait
        no not that
        wait make that
        or i should say
        no i should say
        no oops
        or oops
        or instead
        """;

    public const string SingleCues = """
        no
        no no
        sorry
        i mean
        i meant
        wait
        rather
        actually
        oops
        i'm sorry
        excuse me
        um no
        uh no
        oh no
        """;

    // Countries and places that everybody spells alike.
    private const string Places = """
        africa america american asia asian australia australian austria austrian belgium belgian brazil brazilian britain british canada canadian chile chilean china chinese colombia colombian cuba denmark danish egypt england english europe european finland finnish france french germany german greece greek hungary india indian indonesia iran iraq ireland irish israel italy italian japan japanese kenya korea korean kuwait malaysia mexico mexican morocco moroccan netherlands dutch nigeria norway norwegian pakistan panama peru philippines poland polish portugal portuguese puerto rico russia russian saudi scotland scottish singapore spain spanish sweden swedish switzerland swiss taiwan thailand turkey turkish ukraine vietnam wales
        alabama alaska arizona arkansas california carolina colorado connecticut dakota delaware florida georgia hawaii idaho illinois indiana iowa kansas kentucky louisiana maine maryland massachusetts michigan minnesota mississippi missouri montana nebraska nevada hampshire jersey ohio oklahoma oregon pennsylvania tennessee texas utah vermont virginia washington wisconsin wyoming
        amsterdam atlanta austin baltimore barcelona beijing berlin boston brussels chicago cleveland dallas delhi denver detroit dubai dublin frankfurt geneva hamburg houston london madrid melbourne miami milan montreal moscow mumbai munich nashville oxford paris philadelphia phoenix pittsburgh portland prague rome seattle shanghai stockholm sydney tampa tokyo toronto vancouver vegas vienna warsaw york zurich
        """;

    private const string FirstNames = """
        adam alan albert alex alexander alice amanda amy andrea andrew andy angela ann anna anne anthony arthur barbara ben benjamin beth betty bill billy bob bobby brad brandon brian bruce carl carlos carol caroline carolyn catherine charles charlie chris christian christina christine christopher claire craig cynthia dan daniel danielle dave david dean deborah dennis diana diane don donald donna doug douglas dylan ed edward elizabeth ellen emily emma eric erik ethan eugene eva evan frank fred gary george gerald glenn gordon grace greg gregory hannah harold harry heather helen henry howard ian isabel jack jackie jacob james jamie jane janet jason jean jeff jeffrey jennifer jeremy jerry jessica jim jimmy joan joe john johnny jon jonathan jordan jose joseph josh joshua joyce juan judith judy julia julian julie justin karen kate katherine kathleen keith kelly ken kenneth kevin kim kyle larry laura lauren lawrence lee leo leonard lewis linda lisa louis lucas lucy luke lynn marc marco marcus margaret maria marie marilyn mario martha martin mary matt matthew maureen max megan melissa michael michelle mike monica nancy nathan neil nicholas nick nicole nigel noah oliver olivia oscar pamela patricia patrick paul paula peter phil philip rachel ralph randy raymond rebecca richard rick robert robin roger ron ronald rose roy russell ruth ryan sam samantha samuel sandra sandy sara sarah scott sean sharon shirley simon sophia stanley stephanie stephen steve steven stuart sue susan ted teresa terry theresa thomas tim timothy todd tom tommy tony tyler victor victoria vincent walter wayne wendy william zachary
        """;

    private const string Common = """
        able above accept access accident account achieve across act action active activity actual add addition address admit adult advance advantage advice affair affect afford afraid age agency agent ago agree ahead air airport allow almost alone along already alright although always amount analyst analysis ancient anger angle angry animal announce annual answer anybody anymore anyway anywhere apart apartment appear application apply appreciate approach approve april area argue argument arm army arrange arrive art article ask asset assist assume attack attempt attend attention attract auction audience august aunt author available average avoid award aware away
        baby back bad badly bag balance ball band bank bar base baseball basic basis basket basketball bath battle beach bear beat beautiful beauty become bed bedroom beer began begin behavior belief believe bell belong below belt bench benefit beside best bet better beyond big bike bill bird birth birthday bit bite bitter black blame block blood blow blue board boat body bomb bone book boot border bore born borrow boss bother bottle bottom bought bound bowl box boy brain branch brand brave bread break breakfast breath breathe bridge brief bright bring broad broke broken brother brought brown brush budget build building built burn bus bush business busy butter button buy buyer
        cable cake calculate calendar call calm came camera camp campaign cancel cancer candidate capable capacity capital captain capture car card care career careful carry case cash cast cat catch category caught cause ceiling celebrate cell center central century certain chain chair challenge champion chance change channel chapter character charge cheap check cheese chemical chest chicken chief child children choice choose chose chosen church circle citizen city claim class classic clean clear client climate climb clock close cloth clothes cloud club coach coal coast coat code coffee cold collect college color column combine come comfort comfortable command comment commercial commit committee commodity common communicate community company compare compete competition complain complete complex component computer concern condition conduct conference confidence confirm conflict confuse connect consider consist constant construct consume consumer contact contain content contest context continue contract contrast contribute control conversation convert cook cool copy core corner correct cost cotton could council count counter country county couple courage course court cousin cover cow crack craft crash crazy cream create credit crew crime crisis critical cross crowd cry culture cup currency current curve custom customer cut cycle
        daily damage dance danger dark data date daughter dead deal dealt dear death debate debt december decide decision declare decline deep defend define degree delay deliver delivery demand department depend deposit depth describe desert deserve design desire desk despite detail determine develop device die diet differ difference different difficult dig digital dinner direct direction director dirty disappear discount discover discuss discussion disease dish distance distribute district divide doctor document dog dollar domestic door doubt down dozen draft drama draw drawn dream dress drew drink drive driven driver drop drove drug dry due dust duty
        each ear early earn earnings earth ease east easy eat economic economy edge edit education effect effective efficient effort egg either elect electric electronic element eleven else email emerge emotion employ employee empty enable end enemy energy engage engine engineer enjoy enough ensure enter entire entry environment equal equipment equity error escape especially establish estate estimate even evening event ever everyday evidence exact examine example excellent except exchange excite exciting excuse execute exercise exist exit expand expect expense expensive experience expert explain explore express extend extra extreme eye
        face facility fact factor factory fail failure fair faith fall fallen familiar family famous fan far farm farmer fashion fast fat father fault favor favorite fear feature february federal fee feed feel feet fell felt female fence few field fight figure file fill film final finance financial find fine finger finish fire firm first fiscal fish fit fix flat flew flight float floor flow flower fly focus folk follow food foot football force foreign forest forever forget form formal format former forth fortune forward fought found foundation frame franchise frank free freedom freeze fresh friday friend friendly front fruit fuel fully fun function fund funny furniture further future
        gain game gap garden gas gate gather gave gear general generate generation gentle gentleman gentlemen get getting giant gift girl give given glad glass global goal god goes going gold golf gone good goods got gotten govern government grab grade gradually grand grant grass gray great green grew grocery gross ground group grow grown growth guarantee guard guess guest guide guidance guilty gun guy
        habit hair half hall hand handle hang happen happy hard hardware hat hate head health healthy hear heard heart heat heavy held hell hello help hey hi hide high highlight highway hill hire history hit hold hole holiday home honest honor hope horse hospital host hot hotel hour house household however huge human humor hundred hunger hunt hurry hurt husband
        ice idea identify ignore ill image imagine immediate impact implement import important improve inch incident include income increase incredible indeed independent index indicate individual industrial industry inflation influence inform information initial initiative inside insist install instance instead institution insurance intend intent interest internal international internet interview introduce invent inventory invest investment investor invite involve iron island issue item itself
        jack january jeans jet jewelry job join joke journey judge juice july jump june junior jury justice
        keep kept key kick kid kill kind king kitchen knee knew knife knock know knowledge known
        lab labor lack ladies lady laid lake land language large last late later laugh launch law lawyer lay layer lazy lead leader leadership leaf league learn lease least leather leave left leg legal lend length less lesson let letter level leverage license lie life lift light likely limit line link lip liquid list listen literature little live liver load loan local location lock logic lone long look loose lord lose loss lost lot loud love low lower luck lucky lunch
        machine mad made magazine mail main maintain major make maker male man manage manager management manner manufacture map march margin mark market marketing marriage marry mass master match material math matter maximum may maybe meal mean meant measure meat media medical medicine medium meet meeting member memory men mental mention menu merger mess message met metal method middle might mile military milk mill mind mine mineral minimum minister minor minute mirror miss mission mistake mix model modern mom moment monday money monitor month mood moon moral morning mortgage mother motion motor mountain mouse mouth move movement movie multiple muscle music must mutual
        name narrow nation natural nature near nearly neat necessary neck need negative neighbor neither nerve net network never new news newspaper next nice night noise none noon normal north nose note notice november number nurse
        object obtain obvious occur ocean october odd offer office officer official often oil old once ongoing online onto open opening operate operation operator opinion opportunity oppose option order ordinary organic organize origin original other otherwise ought outcome outlook outside overall owe owner
        pace pack package page paid pain paint pair panel paper parent park part participant particular partner party pass passenger past path patient pattern pause pay payment peace peak pen people percent percentage perfect perform performance perhaps period permanent permit person personal phase phone photo phrase physical pick picture piece pile pilot pink pipe pipeline place plain plan plane plant plastic plate platform play player pleasant please pleasure plenty plus pocket point police policy political pool poor pop popular population port portfolio portion position positive possible post pot potential pound power practice prefer premium prepare presence present president press pressure pretty prevent previous price pride primary prime prince print prior private prize probably problem proceed process produce product production profession profit program progress project promise promote proof proper property proposal propose protect proud prove provide public publish pull purchase pure purpose push put
        quality quantity quarter queen question quick quiet quit quite quote
        race radio rail rain raise ran range rapid rare rate rather ratio raw reach react read reader ready real reality realize reason rebate receive recent recession recognize recommend record recover red reduce refer reflect reform refuse regard region register regular regulation reject relate relation relative relax release relevant reliable relief religion remain remark remember remind remote remove rent repair repeat replace reply report represent request require research reserve resident resist resolve resource respect respond response responsible rest restaurant result retail retain return revenue reverse review revolution reward rice rich rid ride right ring rise risk river road rock role roll roof room root rope rose rough round route row royal rule run rural rush
        sad safe safety said sail salary sale salt same sand sat save saw say scale scene schedule school science score screen sea search season seat second secret secretary section sector secure security see seed seek seem seen segment select self sell send senior sense sent sentence separate september sequence series serious serve service session set settle seven several severe sex shake shall shape share shareholder sharp sheet shelf shell shift shine ship shirt shock shoe shoot shop shore short shot should shoulder shout show shown shut sick side sight sign signal significant silence silver similar simple since sing single sir sister sit site situation six size skill skin sky sleep slice slide slight slip slow small smart smell smile smoke smooth snow social society soft software soil sold soldier solid solution solve somehow sometimes somewhat somewhere son song soon sorry sort soul sound source south space spare speak speaker special specific speech speed spell spend spent spirit split spoke sport spot spread spring square staff stage stand standard star stare start state statement station status stay steady steal steel steep step stick still stock stomach stone stood stop storage store storm story straight strange strategic strategy stream street strength stress stretch strict strike string strong structure struggle student study stuff stupid style subject succeed success successful such sudden suffer sugar suggest suit summer sun sunday supply support suppose sure surface surprise surround survey survive sweet swim switch symbol system
        table tail take taken talent talk tall tank tape target task taste taught tax tea teach teacher team tear technical technology teen telephone television tell temperature tend tennis tension term terrible test text thank thanks theater theme theory thick thin thing think third though thought thousand threat three threw throat through throw thrown thursday thus ticket tie tight till time tiny tip tire title today together told tomorrow tone tonight tongue took tool tooth top topic total touch tough tour toward tower town toy track trade traditional traffic train training transaction transfer transform transition travel treat treatment tree trend trial trick trip tropical trouble truck true trust truth try tuesday turn twelve twenty twice two type typical
        ugly ultimate uncle understand understood union unique unit unite universe university unknown unless unlike until unusual update upper upset urban urge us use used useful user usual
        vacation valley valuable value various vary vast vector vehicle version victim victory video view village visit visitor visual voice volume vote
        wage wait wake walk wall want war warehouse warm warn was wash waste watch water wave way weak wealth weapon wear weather web website wednesday week weekend weigh weight welcome went west wet wheel whenever wherever white whole wide wife wild win wind window wine wing winner winter wire wise wish woman women won wonder wonderful wood word wore work worker world worried worry worse worst worth would wound wrap write writer written wrong wrote
        yard year yellow yesterday young yourself youth zone
        actually additional adjust administration afternoon aggressive allocation ample apple apologize appropriate arc aside associate assumption assurance attractive aviation backlog bake barrel bat beam bean beast beef bid bold bond boom boost bounce bucket bulk bunch burden button buzz cap cheer chip clinical closing clue coin collapse compliance comply concept concrete congratulations consistent consolidate conversion cope copper corporate correct correlation crop curious dairy dash deck default deficit definitely denim depreciation desktop diligence dip disclose discipline dispute dividend doctor dock dose downtown drag drill driven durable duration dynamic eager editor elevate enterprise entity equation escalate essential essentially evaluate eventually evolve exceed exclude exclusive expansion exposure extent fabric facilitate fade favorable fiber fleet flexible fold footprint forecast fossil fraction framework frankly freight frequency fulfill fundamental gallon geographic germ grateful grid guideline harbor harvest headcount headwind hedge heritage hesitate horizon hurdle hybrid hypothetical ideal idle imply incentive inc incremental infrastructure ingredient inherent innovation innovative input insight integrate integration intense interim interrupt invoice joint kick label landscape laptop lately latter lean legacy legislation lender liability line linear liquidity literally livestock logistics loyal lumber maintenance mandate manual matrix mature meaningful mechanism membership metric milestone minus mobile moderate modest momentum nevertheless normalize notable novel objective obligation obviously occasion offset ounce output outperform outstanding overcome overhead overview pandemic pant par partial particularly partnership patent patience penalty pension perspective phenomenon pit pivot placement pledge poll pose precise predict preliminary presentation prevail principle priority procedure productive professional profitable proportion prospect protocol proven provision proximity pump pursue quarterly query ramp rank reasonable rebound recall recap reconcile referral refine reflect refund regardless regulatory relationship reluctant remainder renew rental replicate reputation resilient restructure retention revise rig robust roughly satisfy scenario scope screw seasonal seller semi sensitive sequential setting shale shelter shipment shore shortage shrink sign simultaneously slate slot solar sole solicit span spark specialty spike sponsor squeeze stable stack stake steam stem stimulus strip submit subscribe subscription subsequent subsidiary substantial sufficient summary supplement surge suspect sustain swap sync tackle tailwind tariff temporary territory therapy thereby thorough threshold thrive timber timing tobacco tolerance toll tonnage trace tract traction trail transcript transparency transport treasury treasurer tremendous trigger trillion tune turnaround turnover underlying undertake unfortunately uniform unlock upcoming upgrade upside upward usage utilize utility valid validate variable variance vendor venture versus viable virtual visible vision vital volatile wafer warrant wholesale wireless withdraw workforce workout yield
        cement creditor grass cousin sunny payer smash marker aisle acid algorithm alloy antenna anthem archive artist aspect asphalt atmosphere atom attribute autumn backdrop backup banana banner bargain barrier batch behave bias biology bishop blanket blend bonus bracket breach breed brick bridge broker bronze bubble buffer bullet bureau cabinet calcium canal candle canvas carbon cargo carpet carrier cashier castle casual cement ceremony chamber chapter charter checkout chief chorus cinema circuit circus civil clerk clinic cluster coalition cocktail coconut column comedy comet commence compact companion compass compose compound comprise compute conceal concert conclude condo confess configure confront congress consent conserve console contend contractor convince convoy cooperate coordinate cord corridor cosmetic costume cottage council counsel coupon courier covenant cradle creature cruel crystal curtain cushion custody cylinder debris decade decent decorate defeat defect defendant deliberate delicate delight demolish denial dental deploy deputy descend desperate destiny destroy detect devote diagnose diagram dialogue diamond diesel dignity dilute dimension dioxide diploma disaster discrete dispatch display dispose dissolve distant distinct diverse divert divorce dominate donate donor dragon drawer drought eclipse ecology edition educate elaborate elegant eligible eliminate embark embrace eminent empire endorse endure enforce enhance enrich enroll ensue envelope envision episode equip erase erupt essay ethic exhaust exhibit exile exotic expire explode exploit export expose facade famine fatal fatigue feast fertile festival fierce filter flavor fleet fluid forbid forge formula foster fragile fragment franchise fraud freight frontier fuse galaxy gallery gauge genius genre genuine gesture glacier glimpse gospel gossip grammar graph gravity grocery guilt gym hamper handful harsh haven hazard heroic hockey hollow hormone horror hostile humid hydro hydrogen ideology illusion immune impair imperial implant impose impress impulse incur indoor induce indulge infant infect inherit inhibit inject insect insert inspect inspire instinct intact intake integral intellect intimate intrigue invade invoke irony isolate ivory jewel jungle junk keen kernel kidney lament laser launch lawsuit layout lazy legend leisure lemon liberal liberty lifestyle lightning limb linger litigation lottery lounge luggage lumber luxury magnet mansion marble marine marvel masculine massive mayor medal mentor merit metaphor migrate miner miracle mitigate molecule monitor monopoly monster monument mosaic motive muscle museum mutation mystery narrate naval navy needle neglect negotiate neutral nitrogen noble nominate notion novel nuclear nutrient obey obscure obsess odor olive onset opera optic orchestra ordeal organ outbreak outlet oval overlap oxygen oyster palace panic parade paradox parallel parish partial pastor peasant pedal peninsula pepper perceive perish perspective petition petroleum photon piano pilgrim pioneer pirate planet plasma plaza plead pledge plunge poetry poison polar polish pollen pollute ponder porcelain portray potato poverty prairie predator pregnant prejudice prescribe preside prestige presume privilege proclaim prohibit prolong prompt propel prophet prosecute prosper protein protest province psychology pumpkin punish pursuit pyramid quantum quarrel radar radical rally random rational realm rebel reckon recipe recruit rectangle refuge regime rehearse reign rejoice relay relic remedy render rescue resemble resort restore restrain resume retire retreat retrieve revenge revive rhythm ridge ritual rival rocket romance rotate rubber sacred sacrifice sailor sanction satellite saturday sausage scandal scatter sculpture seafood seminar senate senator serum shepherd sheriff shuttle siege silicon skeleton sketch slogan solvent soprano sovereign spectrum spiral sprint squad squash stadium statistic stereo stimulate straw submarine sulfur summit surgeon surgery suspend symptom syndrome tablet tactic tariff temple tenant terminal terrace terrain textile texture thesis thirst throne tobacco tractor tragedy trait transit transmit trauma treasure tribute triumph tropical tuition tumor tutor tyrant unify upgrade uranium urgent utter vaccine vacuum vague vanish vegetable vegan velocity venue verdict verify verse vessel veteran veto vibrate vicious villa vinyl virgin virtue virus vitamin vivid vocal volcano volunteer voyage voucher warehouse warranty wedding whistle widen willow wisdom wizard workshop wrestle yacht yeast yogurt zebra
        accurate acre add ally apology bay bell bet bill bob boy bust cabin cage candy cart cave cell chart chase cheek chew chin chop cite clay cliff clip coil comb cone cord corn couch cough crane crawl creek cruise crush cube dad dam damp dare dawn deaf deer demo den dense desk dew dim dive dome doll dot dove drain drum duck dull dump dusk eagle elbow elder exam fake fame fancy fate feather fetch fever fiction fist flag flame flash flesh flip flood flour flu foam fog fond fool fork fort fox fraud frog frost fry gather gaze gene ghost glance gloom glory glove glow glue goat gown grain grape grasp grave gravy greet grief grin grip guitar gulf gum gut hail halt ham hammer harm haul hawk hay heal heap hell hen herb hero hint hive hook hop horn hug hull humble hut ink inn ivory jail jam jar jaw jazz jelly jewel juicy kit kite knit knot lab lad lamb lamp lane lap lava lawn leak leap ledge lemon lens lid limb lime lion lobby log loop loud lung lust magic maid mall mask mat mate maze mercy merge meter mild mint moan mob mode mole monk mud mug mule myth nail nap nest nod noon norm nut oak oath oat odd onion orange oral orbit oven owl ox pad palm pan pant paste paw pea peach pear peel peer pet pie pig pill pin pine pitch pity plot plug plum poem poet pole polite pond pony porch pork pose pour pray prey probe puff pulse pump punch pupil purse puzzle quest quilt quiz quota rabbit rack raft rage raid ram ranch rat ray razor rear rebel reef rein rib ribbon rifle riot ripe robe robot rod rot rub rude rug ruin rumor rust sack saint sake salad salmon saint sauce scan scar scare scarf scatter scent scheme scout scrap scream seal seam seize shade shadow shaft shallow shame shark shave shed sheep shield shiny shower shrimp shy sigh silk sin sink sip skate skirt skull slap slave slope smash snack snake sneak soak soap sob sock soda sofa soup sour spade spear sphere spice spider spill spin spine spit splash spoil spoon spray stab stair stain stale stamp stare starve statue stern stew stiff sting stir stove straw stray strain stroke stunt swallow swamp swan swear sweat sweep swell swift swing sword tag tale tame tan tap tease tender tent thief thigh thread thrill throne thumb thunder tide tiger tile tin tissue toast toe tomato tomb ton torch toss towel trap trash tray treaty tribe trim troop tub tube tunnel twin twist uncle vain van vase vein verb vest vine violet vow wagon waist warrior weave wedding weed whale wheat whip whisper wicked widow wipe witch wolf wool worm wreck wrist yell zero zoo
        """;
}
