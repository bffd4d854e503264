namespace Voxbase.Tests.LiveKit;

/// <summary>
/// A call as LiveKit tells it: two people and an agent, one of them coming back, a recording, a job that fails, an event of a type that
/// nobody knows, and spellings as they vary.
/// </summary>
internal static class LiveKitStory
{
    public const string User = "01890a5d-ac96-774b-bcce-b302099a8057";

    /// <summary>The events, in the order in which they happened. <paramref name="suffix"/> tells one such call from another.</summary>
    public static List<string> Events(string suffix)
    {
        var room = $$"""{"sid":"RM_{{suffix}}","name":"support-{{suffix}}","creationTime":"1787074610","turnPassword":"hush","numParticipants":1}""";
        return
        [
            $$$"""{"event":"room_started","room":{{{room}}},"id":"EV_{{{suffix}}}_01","createdAt":"1787074610"}""",
            $$$"""{"event":"agent_job_started","job":{"id":"AJ_{{{suffix}}}","dispatchId":"AD_1","type":"JT_ROOM","room":{{{room}}},"agentName":"helper","state":{"status":"JS_RUNNING","startedAt":"1787074611000000000","workerId":"AW_1"}},"id":"EV_{{{suffix}}}_02","createdAt":"1787074611"}""",
            $$$"""{"event":"participant_joined","room":{{{room}}},"participant":{"sid":"PA_{{{suffix}}}_agent","identity":"agent-AJ","kind":"AGENT","state":"ACTIVE","joinedAt":"1787074611","joinedAtMs":"1787074611500","attributes":{"lk.agent.state":"listening"}},"id":"EV_{{{suffix}}}_03","createdAt":"1787074611"}""",
            $$$"""{"event":"participant_joined","room":{{{room}}},"participant":{"sid":"PA_{{{suffix}}}_1","identity":"{{{User}}}","name":"Ada","state":"ACTIVE","joinedAt":"1787074612","joinedAtMs":"1787074612203","kind":0},"id":"EV_{{{suffix}}}_04","createdAt":"1787074612"}""",
            $$$"""{"event":"track_published","room":{{{room}}},"participant":{"sid":"PA_{{{suffix}}}_1","identity":"{{{User}}}","joinedAt":"1787074612"},"track":{"sid":"TR_1","type":"AUDIO","source":"MICROPHONE","mimeType":"audio/opus","muted":true},"id":"EV_{{{suffix}}}_05","createdAt":"1787074612"}""",
            $$$"""{"event":"egress_started","egress_info":{"egress_id":"EG_{{{suffix}}}","room_id":"RM_{{{suffix}}}","room_name":"support-{{{suffix}}}","status":1,"started_at":1787074613000000000},"id":"EV_{{{suffix}}}_06","created_at":1787074613}""",
            $$$"""{"event":"participant_left","room":{{{room}}},"participant":{"sid":"PA_{{{suffix}}}_1","identity":"{{{User}}}","state":"DISCONNECTED","joinedAt":"1787074612","disconnectReason":"CLIENT_INITIATED"},"id":"EV_{{{suffix}}}_07","createdAt":"1787074700"}""",
            $$$"""{"event":"participant_joined","room":{{{room}}},"participant":{"sid":"PA_{{{suffix}}}_2","identity":"{{{User}}}","name":"Ada","state":"ACTIVE","joinedAt":"1787074710","joinedAtMs":"1787074710100"},"id":"EV_{{{suffix}}}_08","createdAt":"1787074710"}""",
            $$$"""{"event":"something_new","room":{{{room}}},"id":"EV_{{{suffix}}}_09","createdAt":"1787074711"}""",
            $$$"""{"event":"agent_job_ended","job":{"id":"AJ_{{{suffix}}}","room":{{{room}}},"agentName":"helper","state":{"status":"JS_FAILED","error":"it broke","startedAt":"1787074611000000000","endedAt":"1787074720500000000"}},"id":"EV_{{{suffix}}}_10","createdAt":"1787074720"}""",
            $$$"""{"event":"participant_connection_aborted","room":{{{room}}},"participant":{"sid":"PA_{{{suffix}}}_3","identity":"late","joinedAt":"1787074721"},"id":"EV_{{{suffix}}}_11","createdAt":"1787074722"}""",
            // Without the room's sid, as egress sometimes tells it, and with the file in the field of old.
            $$$"""{"event":"egress_ended","egressInfo":{"egressId":"EG_{{{suffix}}}","roomName":"support-{{{suffix}}}","status":"EGRESS_COMPLETE","startedAt":"1787074613000000000","endedAt":"1787074725000000000","file":{"filename":"/rec/{{{suffix}}}.ogg","duration":"112000000000","size":"834112"}},"id":"EV_{{{suffix}}}_12","createdAt":"1787074725"}""",
            $$$"""{"event":"room_finished","room":{{{room}}},"numDropped":2,"id":"EV_{{{suffix}}}_13","createdAt":"1787074730"}""",
        ];
    }
}
