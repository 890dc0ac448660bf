//! An approval rule in Zig: voters approve of options, the most approvals win.
//!
//! It speaks the plugin ABI of docs/plugin-abi.md with no library but Zig's own, and gives the same
//! outcome bytes as the Rust crate examples/custom-rule. Build it with build.sh.

const std = @import("std");

const options_max = 256;
const title_bytes_max = 120;

/// The host writes at most config_bytes (256 KiB) into the buffer.
var input: [256 << 10]u8 = undefined;
var output: [64 << 10]u8 = undefined;

var options: usize = 0;
var titles: [options_max][]const u8 = undefined;
/// What the titles point to: the buffer is written over by the next call.
var title_bytes: [options_max][title_bytes_max]u8 = undefined;
var marks_max: u64 = 0;
var votes: [options_max]u64 = undefined;

var said: []const u8 = "";

/// The reason of a trap reaches the operator through `message`.
pub const panic = std.debug.FullPanic(struct {
    fn say(why: []const u8, _: ?usize) noreturn {
        said = why;
        @trap();
    }
}.say);

const Refused = error{Refused};

fn refuse(why: []const u8) Refused {
    said = why;
    return error.Refused;
}

/// Address in the high half, length in the low half.
fn place(bytes: []const u8) u64 {
    return @as(u64, @intFromPtr(bytes.ptr)) << 32 | bytes.len;
}

// --- reading ------------------------------------------------------------------------------------

const Reader = struct {
    rest: []const u8,

    /// LEB128 in the fewest bytes; anything else is not canonical.
    fn number(self: *Reader) Refused!u64 {
        var value: u64 = 0;
        var shift: u32 = 0;
        for (self.rest, 1..) |byte, len| {
            if (shift > 63 or (shift == 63 and byte > 1)) break;
            value |= @as(u64, byte & 0x7f) << @intCast(shift);
            if (byte < 0x80) {
                if (byte == 0 and shift > 0) break;
                self.rest = self.rest[len..];
                return value;
            }
            shift += 7;
        }
        return refuse("the bytes are cut off or not canonical");
    }

    fn bytes(self: *Reader) Refused![]const u8 {
        const len = try self.number();
        if (len > self.rest.len) return refuse("the bytes are cut off");
        defer self.rest = self.rest[@intCast(len)..];
        return self.rest[0..@intCast(len)];
    }

    fn end(self: *const Reader) Refused!void {
        if (self.rest.len > 0) return refuse("there are more bytes than expected");
    }
};

// --- writing ------------------------------------------------------------------------------------

const Writer = struct {
    len: usize = 0,

    fn byte(self: *Writer, value: u8) void {
        output[self.len] = value;
        self.len += 1;
    }

    fn number(self: *Writer, value: u128) void {
        var left = value;
        while (left >= 0x80) : (left >>= 7) self.byte(@as(u8, @truncate(left)) | 0x80);
        self.byte(@intCast(left));
    }

    /// A number of the outcome: tag 0, then a zigzag integer.
    fn whole(self: *Writer, value: u64) void {
        self.byte(0);
        self.number(@as(u128, value) << 1);
    }

    fn raw(self: *Writer, bytes: []const u8) void {
        for (bytes) |value| self.byte(value);
    }

    fn text(self: *Writer, bytes: []const u8) void {
        self.number(bytes.len);
        self.raw(bytes);
    }

    fn done(self: *const Writer) u64 {
        return place(output[0..self.len]);
    }
};

// --- exports ------------------------------------------------------------------------------------

export fn tabella_abi_v1() void {}

export fn buffer(len: u32) [*]u8 {
    return input[0..len].ptr;
}

export fn describe() u64 {
    return place(
        \\{"abi":1,"name":"custom-rule","version":"0.1.0",
        \\"summary":"Voters approve of a few options; the most approvals win.",
        \\"licence":"Apache-2.0","ballot":"approval","params":[
        \\{"name":"marks_max","about":"How many options a voter may approve of.",
        \\"kind":"integer","min":1,"max":100,"default":2}]}
    );
}

export fn configure(len: u32) u32 {
    return code(1, readConfiguration(.{ .rest = input[0..len] }));
}

/// Options (id, title), then one value for each parameter: here one integer, tag 1, zigzag.
fn readConfiguration(configuration: Reader) Refused!void {
    var reader = configuration;
    const count = try reader.number();
    if (count > options_max) return refuse("at most 256 options");
    options = @intCast(count);
    for (titles[0..options], title_bytes[0..options]) |*title, *kept| {
        _ = try reader.bytes();
        const read = try reader.bytes();
        if (read.len > kept.len) return refuse("titles of at most 120 bytes");
        @memcpy(kept[0..read.len], read);
        title.* = kept[0..read.len];
    }
    const params, const tag, const zigzag = .{ try reader.number(), try reader.number(), try reader.number() };
    if (params != 1 or tag != 1) return refuse("the parameters do not fit the manifest");
    marks_max = zigzag >> 1;
    @memset(votes[0..options], 0);
    try reader.end();
}

/// Adds a ballot's weight to the options that it names, in ascending order; answers how many.
fn count_ballot(ballot: []const u8, weight: u64) Refused!u64 {
    var reader = Reader{ .rest = ballot };
    var above: u64 = 0;
    var marks: u64 = 0;
    while (reader.rest.len > 0) : (marks += 1) {
        const option = try reader.number();
        if (option >= options) return refuse("the ballot names an option that is not in the contest");
        if (option < above) return refuse("the ballot names an option twice or out of order");
        above = option + 1;
        // A count that wraps would lie: the sum is checked, and overflow traps.
        votes[@intCast(option)] += weight;
    }
    return marks;
}

export fn validate(len: u32) u32 {
    const marks = count_ballot(input[0..len], 0) catch return 1;
    return if (marks > marks_max) code(2, refuse("approve of fewer options")) else 0;
}

/// For each ballot its weight, its length and its bytes.
export fn fold(len: u32) u32 {
    return code(1, foldBatch(.{ .rest = input[0..len] }));
}

fn foldBatch(batch: Reader) Refused!void {
    var reader = batch;
    while (reader.rest.len > 0) {
        const weight = try reader.number();
        _ = try count_ballot(try reader.bytes(), weight);
    }
}

/// What it saves is the plugin's own business: here the votes, one number for each option.
export fn save() u64 {
    var writer = Writer{};
    for (votes[0..options]) |count| writer.number(count);
    return writer.done();
}

export fn merge(len: u32) u32 {
    return code(1, mergeSaved(.{ .rest = input[0..len] }));
}

fn mergeSaved(saved: Reader) Refused!void {
    var reader = saved;
    for (votes[0..options]) |*count| count.* += try reader.number();
    try reader.end();
}

export fn finish(len: u32) u64 {
    // No bytes are no outcome, and the host says so.
    return outcome(.{ .rest = input[0..len] }) catch 0;
}

/// Reads who decides ties, and every option, the one that wins ties first.
fn outcome(ties: Reader) Refused!u64 {
    var reader = ties;
    const deciders = [_][]const u8{ "seed", "order", "report" };
    const decider = try reader.number();
    if (decider >= deciders.len or try reader.number() != options) return refuse("no order of ties");
    const most = std.mem.max(u64, votes[0..options]);
    var first: ?usize = null;
    for (0..options) |_| {
        const option: usize = @intCast(try reader.number());
        if (option >= options) return refuse("no order of ties");
        if (first == null and votes[option] == most) first = option;
    }
    var tied_options: [options_max]usize = undefined;
    var tied: []usize = tied_options[0..0];
    for (votes[0..options], 0..) |count, option| if (most > 0 and count == most) {
        tied_options[tied.len] = option;
        tied = tied_options[0 .. tied.len + 1];
    };
    var decided = [_]usize{first orelse 0};
    const winners = if (tied.len > 1 and decider < 2) &decided else tied;

    var writer = Writer{};
    writer.number(winners.len);
    for (winners) |option| writer.number(option);
    writer.number(@intFromBool(tied.len > 1)); // ties
    if (tied.len > 1) {
        writer.number(tied.len);
        for (tied) |option| writer.number(option);
        writer.text("the most approvals");
        writer.text(deciders[@intCast(decider)]);
    }
    writer.number(options); // options: votes, elected, seats
    for (votes[0..options], 0..) |count, option| {
        const elected = std.mem.findScalar(usize, winners, option) != null;
        writer.whole(count);
        writer.byte(@intFromBool(elected));
        writer.number(@intFromBool(elected));
    }
    writer.number(0); // rounds
    writer.byte(0); // quota: none
    writer.number(0); // pairwise
    explain(&writer, winners);
    return writer.done();
}

fn explain(writer: *Writer, winners: []const usize) void {
    if (winners.len == 0) return writer.text("No option has a vote, so nobody wins.");
    const ending = " has the most approvals.";
    var len = ending.len;
    for (winners, 0..) |option, at| len += joint(at, winners.len).len + titles[option].len;
    writer.number(len);
    for (winners, 0..) |option, at| {
        writer.raw(joint(at, winners.len));
        writer.raw(titles[option]);
    }
    writer.raw(ending);
}

fn joint(at: usize, count: usize) []const u8 {
    if (at == 0) return "";
    return if (at + 1 == count) " and " else ", ";
}

export fn message() u64 {
    return place(said);
}

fn code(refused: u32, result: Refused!void) u32 {
    result catch return refused;
    return 0;
}
