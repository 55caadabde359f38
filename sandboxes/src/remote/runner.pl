#!/usr/bin/perl -w
# Runs in a sandbox on another machine: starts one command apart from whoever asked, watches its time and bounds, ends
# everything it leaves and writes down how it ended. Needs what perl-base of Debian has, nothing else.
#
#   <base>/bounds                 memory, processes and disk, and the number of the right it was made under, in that order
#   <base>/execs/<name>/plan      what to run: fields ended by NUL
#   <base>/execs/<name>/lock      held by the runner as long as it lives
#   <base>/execs/<name>/started   made once, by the one runner that runs it
#   <base>/execs/<name>/stop      a wish to stop it; holds the grace in milliseconds
#   <base>/execs/<name>/room      taken while there was some, for a wish to stop it on a full disk
#   <base>/execs/<name>/out, err  what it printed
#   <base>/execs/<name>/exit      how it ended, as JSON, when every process it left has ended too
#   <base>/execs/<name>/outbox/   writable inside
#   <base>/artifacts/<name>/      what a command left to be kept; writable inside
use strict;
# Warnings are on by the first line: to load the module for them takes longer than most of what is asked here.

# What the kernel calls things, by the processor our own program is for (e_machine in its ELF header). Fcntl and POSIX know
# it too, but to load them takes longer than all that is done here.
my %kernels = (
    62  => { prctl => 157, clock_gettime => 228, prlimit64 => 302, setsid => 112, exit_group => 231, nofollow => 0400000 },
    183 => { prctl => 167, clock_gettime => 113, prlimit64 => 261, setsid => 157, exit_group => 94, nofollow => 0100000 },
);
open my $program, '<:raw', '/proc/self/exe' or die "failed to read /proc/self/exe: $!\n";
sysread $program, my $head, 20;
my $kernel = $kernels{ unpack 'x18 v', $head } or die "not for this processor: use a template for x86-64 or aarch64\n";

# As in <fcntl.h>, <sys/file.h>, <sys/wait.h>, <errno.h> and <elf.h> on all of these.
my ($rdonly, $wronly, $rdwr, $creat, $excl) = (0, 1, 2, 0100, 0200);
my ($shared, $exclusive, $at_once) = (1, 2, 4);
my $nohang = 1;
my ($enoent, $enospc, $edquot) = (2, 28, 122);
my $at_pagesz = 6;

# Between two looks at what was printed; and whether a command is to be stopped, of whose own end we hear at once.
my ($tick, $tick_watch) = (0.02, 0.1);
# Between two looks at a bound that is far, and at one of which more than half is used; the disk, and its share of the time.
my ($look_far, $look_near, $look_disk, $disk_share) = (0.25, 0.05, 2, 20);
# What a command may still do when its time is up.
my $grace = 1;
# What is told in a line of its own at most; more is read from the file.
my $piece = 16384;
# Between two signs of life to whoever follows, and how long one follows at most before asking again.
my ($alive, $follow) = (2, 600);

my ($mode, $base, $name, @rest) = @ARGV;
my $folder = "$base/execs/$name";

sub now {
    my $at = pack 'qq', 0, 0;
    syscall $kernel->{clock_gettime}, 1, $at;
    my ($seconds, $nanos) = unpack 'qq', $at;
    return $seconds + $nanos / 1e9;
}

sub pause { select undef, undef, undef, $_[0] }

sub slurp {
    my ($path) = @_;
    sysopen my $file, $path, $rdonly | $kernel->{nofollow} or return undef;
    local $/;
    return scalar readline $file;
}

# Takes room while there is some: for the end of a command, and for one wish to stop it. On a disk only this sandbox fills
# nobody makes any.
sub reserve {
    for my $path ("$folder/exit.$$", "$folder/room") {
        open my $file, '>', $path or next;
        syswrite $file, "\0" x 4096;
    }
}

# Writes a file so that it is either absent or whole; into what was taken for it, where there is such a thing. A full disk is
# waited for.
sub publish {
    my ($path, $content) = @_;
    my $fresh = "$path.$$";
    for (;;) {
        if (sysopen my $file, $fresh, $wronly | $creat, 0600) {
            my $written = syswrite $file, $content;
            if (defined $written && $written == length $content && truncate($file, $written) && close $file) {
                return rename $fresh, $path;
            }
        }
        return 0 unless $! == $enospc || $! == $edquot;
        unlink "$folder/room" or pause 1;
    }
}

sub json {
    my ($text) = @_;
    $text =~ s/(["\\])/\\$1/g;
    $text =~ s/([^ -~])/sprintf '\\u%04x', ord $1/ge;
    return "\"$text\"";
}

# How it ended, with the number of the right it ran under: so a result of an earlier one is not taken for a later one's.
sub ended_json {
    my $epoch = (bounds())[3];
    return sprintf '{"exit":%s,"elapsed_ms":%d%s}', @_, defined $epoch ? ",\"epoch\":$epoch" : '';
}

# Every process: its parent.
sub parents {
    my %parents;
    opendir my $proc, '/proc' or return \%parents;
    for my $pid (grep { /^[0-9]+$/ } readdir $proc) {
        my $stat = slurp("/proc/$pid/stat") or next;
        $parents{$pid} = $1 if $stat =~ /^.*\) \S (\d+)/s;
    }
    return \%parents;
}

sub descendants {
    my $parents = parents();
    my %children;
    push @{ $children{ $parents->{$_} } }, $_ for keys %$parents;
    my @found = my @left = @{ $children{$$} || [] };
    while (@left) {
        my @next = @{ $children{ shift @left } || [] };
        push @found, @next;
        push @left, @next;
    }
    return @found;
}

# Processes that carry the mark of this command, for when nobody is their parent any more.
sub marked {
    my ($environment) = @_;
    my @found;
    opendir my $proc, '/proc' or return;
    for my $pid (grep { /^[0-9]+$/ && $_ != $$ } readdir $proc) {
        my $environ = slurp("/proc/$pid/environ") or next;
        push @found, $pid if index("\0$environ", $environment) >= 0;
    }
    return @found;
}

sub page_bytes {
    my %told = unpack 'Q*', slurp('/proc/self/auxv') // '';
    return $told{$at_pagesz} || 4096;
}

sub memory {
    my $pages = 0;
    for my $pid (@_) {
        my $statm = slurp("/proc/$pid/statm") or next;
        $pages += (split ' ', $statm)[1];
    }
    return $pages * page_bytes();
}

sub disk {
    my $blocks = 0;
    my @left = @_;
    while (defined(my $path = shift @left)) {
        my @stat = lstat $path or next;
        $blocks += $stat[12] || 0;
        next unless -d _;
        opendir my $folder, $path or next;
        push @left, map { "$path/$_" } grep { $_ ne '.' && $_ ne '..' } readdir $folder;
    }
    return $blocks * 512;
}

# The plan: options, a blank field, variables, a blank field, words.
sub plan {
    my @fields = split /\0/, (slurp("$folder/plan") // return), -1;
    pop @fields;
    my (%plan, $to);
    my @parts = ([], [], []);
    my $part = 0;
    for my $field (@fields) {
        if ($field eq '' && $part < 2) { $part++; next }
        push @{ $parts[$part] }, $part == 2 ? substr($field, 1) : $field;
    }
    my ($timeout_ms, $output_max) = @{ $parts[0] };
    return { timeout_ms => $timeout_ms, output_max => $output_max, env => $parts[1], argv => $parts[2] };
}

sub bounds { return split ' ', (slurp("$base/bounds") // '') }

# Becomes the command, or tells why not.
sub become {
    my ($plan, $told) = @_;
    my $why = sub { syswrite $told, $_[0]; syscall $kernel->{exit_group}, 127 };
    my ($memory_max, $processes_max, $disk_max) = bounds();
    my $file_max = $disk_max > $plan->{output_max} ? $disk_max : $plan->{output_max};
    # No core files, and no file above every bound.
    my ($core, $file) = (pack('QQ', 0, 0), pack('QQ', $file_max, $file_max));
    syscall $kernel->{prlimit64}, 0, 4, $core, 0;
    syscall $kernel->{prlimit64}, 0, 1, $file, 0;
    $SIG{$_} = 'DEFAULT' for qw(CHLD TERM HUP INT PIPE);
    chdir "$base/work" or $why->("the workspace is gone: $!");
    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', "$folder/out" or $why->("failed to open its output files: $!");
    open STDERR, '>>', "$folder/err" or $why->("failed to open its output files: $!");
    for my $pair (@{ $plan->{env} }) {
        my ($key, $value) = split /=/, $pair, 2;
        # What would hide a process from us stays as it is.
        $ENV{$key} = $value unless $key =~ /^REGATTA_(?:SANDBOX|EXEC|WORKSPACE)$/;
    }
    umask 022;
    my @argv = @{ $plan->{argv} };
    @argv or $why->('the command is empty');
    {
        # What fails is told below, in our words.
        local $^W = 0;
        exec { $argv[0] } @argv;
    }
    $why->($! == $enoent ? "`$argv[0]` was not found; install it in the sandbox's template or correct PATH"
                      : "`$argv[0]` could not be started: $!");
}

# Takes the command for this process, once and for all.
sub claim {
    sysopen my $lock, "$folder/lock", $rdwr | $creat, 0600 or return undef;
    flock $lock, $exclusive | $at_once or return undef;
    sysopen my $started, "$folder/started", $wronly | $creat | $excl, 0600 or return undef;
    syswrite $started, "$$";
    return $lock;
}

# Everything past a bound, for people.
sub over {
    my ($plan, $look) = @_;
    my ($memory_max, $processes_max, $disk_max) = bounds();
    my @tree = descendants();
    my @used = (
        [memory(@tree), $memory_max, 'bytes of memory'],
        [scalar @tree, $processes_max, 'processes'],
        [(-s "$folder/out") || 0, $plan->{output_max}, 'bytes of standard output'],
        [(-s "$folder/err") || 0, $plan->{output_max}, 'bytes of standard error'],
    );
    my $at = now();
    if ($look->{disk} <= $at) {
        push @used, [disk("$base/work", "$base/tmp", "$base/artifacts", "$folder/outbox"), $disk_max, 'bytes on disk'];
        my $took = $disk_share * (now() - $at);
        $look->{disk} = now() + ($took > $look_disk ? $took : $look_disk);
    }
    my $near = grep { $_->[0] > $_->[1] / 2 } @used;
    $look->{next} = now() + ($near ? $look_near : $look_far);
    return join '; ', map { "$_->[2]: $_->[0] used, $_->[1] allowed" } grep { $_->[0] > $_->[1] } @used;
}

# Watches the command to its end. The status of its main process, and why it was stopped, as JSON, when it was.
sub watch {
    my ($plan, $main, $began) = @_;
    my %look = (next => $began + 0.1, disk => $began + $look_disk);
    my ($stopping, $force);
    my $stop = sub {
        my ($why, $after) = @_;
        $force = now() + $after if !defined $force || now() + $after < $force;
        return if defined $stopping;
        $stopping = $why;
        kill 'TERM', descendants() if $after > 0;
    };
    for (;;) {
        my $pid;
        while (($pid = waitpid -1, $nohang) > 0) { return ($?, $stopping) if $pid == $main }
        return (undef, $stopping) if $pid < 0;
        my $at = now();
        my $asked = slurp("$folder/stop");
        $stop->('"Killed"', $asked / 1000) if defined $asked && $asked =~ /^\d+$/;
        $stop->('"TimedOut"', $grace) if !defined $stopping && $at >= $began + $plan->{timeout_ms} / 1000;
        if (!defined $stopping && $look{next} <= $at) {
            my $over = over($plan, \%look);
            $stop->('{"OverLimit":' . json($over) . '}', 0) if $over ne '';
        }
        kill 'KILL', descendants() if defined $force && $force <= $at;
        pause(defined $stopping ? $tick : $tick_watch);
    }
}

# Ends whatever is left: all that leaves its parent becomes our child.
sub end_everyone {
    for (;;) {
        my $pid;
        1 while ($pid = waitpid -1, $nohang) > 0;
        return if $pid < 0;
        kill 'KILL', descendants();
        pause 0.002;
    }
}

# Starts the command and sees it through; what is said of it is its exit, as JSON.
sub see_through {
    my ($plan, $began) = @_;
    return '"Killed"' if -e "$folder/stop";
    pipe my $tell, my $told or return '{"NotStarted":' . json("failed to prepare it: $!") . '}';
    my $main = fork;
    return '{"NotStarted":' . json("failed to start it: $!") . '}' unless defined $main;
    become($plan, $told) if $main == 0;
    close $told;
    my ($status, $stopping) = watch($plan, $main, $began);
    end_everyone();
    for my $channel ("$folder/out", "$folder/err") {
        truncate $channel, $plan->{output_max} if ((-s $channel) || 0) > $plan->{output_max};
    }
    return $stopping if defined $stopping;
    return '"Lost"' unless defined $status;
    my $why = do { local $/; readline $tell };
    return '{"NotStarted":' . json($why) . '}' if defined $why && $why ne '';
    my $signal = $status & 127;
    if ($signal == 25) {
        my $disk_max = (bounds())[2];
        my $file_max = $disk_max > $plan->{output_max} ? $disk_max : $plan->{output_max};
        return '{"OverLimit":' . json("a file grew past $file_max bytes") . '}';
    }
    return $signal ? "{\"Signal\":$signal}" : sprintf '{"Code":%d}', $status >> 8;
}

# Begins a command. Its plan is a file that was sent before, or it is in the question itself, as hexadecimal digits.
sub run {
    my ($fresh, $digits) = @rest;
    mkdir $folder, 0700 if defined $digits;
    # Whoever asked waits until it has begun, and no longer.
    pipe my $wait, my $begun or die "failed to start: $!\n";
    my $pid = fork;
    die "failed to start: $!\n" unless defined $pid;
    if ($pid) {
        close $begun;
        readline $wait;
        return;
    }
    close $wait;
    syscall $kernel->{setsid};
    chdir '/';
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';
    $SIG{CHLD} = sub { };
    $SIG{$_} = 'IGNORE' for qw(HUP INT TERM PIPE);
    umask 077;
    my $lock = claim();
    if (!$lock) {
        unlink "$folder/$fresh" unless defined $digits;
        return;
    }
    if (defined $digits) {
        publish("$folder/plan", pack 'H*', $digits);
    } else {
        rename "$folder/$fresh", "$folder/plan";
    }
    reserve();
    mkdir $_ for "$folder/outbox", "$base/artifacts", "$base/artifacts/$name";
    syscall $kernel->{prctl}, 36, 1, 0, 0, 0;
    $ENV{REGATTA_WORKSPACE} = "$base/work";
    $ENV{REGATTA_INBOX} = "$base/inbox";
    $ENV{REGATTA_OUTBOX} = "$folder/outbox";
    $ENV{REGATTA_ARTIFACTS} = "$base/artifacts/$name";
    $ENV{REGATTA_EXEC} = $name;
    $ENV{TMPDIR} = "$base/tmp";
    close $begun;
    my $began = now();
    my $plan = plan();
    my $exit = $plan ? see_through($plan, $began) : '{"NotStarted":"the plan of the command cannot be read"}';
    publish("$folder/exit", ended_json($exit, 1000 * (now() - $began)));
}

# Whether the runner of a command that has begun still lives.
sub lives {
    sysopen my $lock, "$folder/lock", $rdonly or return 0;
    return !flock $lock, $shared | $at_once;
}

# Ends what a command left whose runner is gone, and writes that down.
sub bury {
    my $mark = "\0REGATTA_EXEC=$name\0";
    for (1 .. 500) {
        my @left = marked($mark) or last;
        kill 'KILL', @left;
        pause 0.002;
    }
    my @started = stat "$folder/started";
    my $last = (sort { $b <=> $a } map { (stat "$folder/$_")[9] || 0 } qw(out err))[0];
    my $lived = $last > $started[9] ? $last - $started[9] : 0;
    publish("$folder/exit", ended_json('"Lost"', 1000 * $lived)) unless -e "$folder/exit";
}

# How it ended, as JSON; `r` while it runs, `n` when it never began.
sub state_now {
    my $ended = slurp("$folder/exit");
    return $ended if defined $ended;
    return 'n' unless -e "$folder/started";
    return 'r' if lives();
    bury() unless -e "$folder/exit";
    return slurp("$folder/exit") // 'r';
}

sub printed {
    my ($channel, $output_max) = @_;
    my $bytes = (-s "$folder/$channel") || 0;
    return defined $output_max && $bytes > $output_max ? $output_max : $bytes;
}

sub output_max {
    my $plan = plan();
    return $plan && $plan->{output_max};
}

# Where it stands, then how much it printed: when it has ended, that is all there is.
sub status {
    my $state = state_now();
    my $max = output_max();
    printf "%d %d %s\n", printed('out', $max), printed('err', $max), $state;
}

sub from {
    my ($channel, $offset, $bytes) = @_;
    sysopen my $file, "$folder/$channel", $rdonly | $kernel->{nofollow} or return '';
    sysseek $file, $offset, 0;
    my $content = '';
    while (length $content < $bytes) {
        sysread($file, $content, $bytes - length $content, length $content) or last;
    }
    return $content;
}

# Tells what is printed from some offsets on, a line each: `o OFFSET HEX`, or `O SIZE` where there is too much for a line;
# `e` and `E` for errors; `k` while there is nothing; last `x` and how it ended.
sub follow {
    my ($client, %seen) = ($rest[0], o => $rest[1], e => $rest[2]);
    my %channels = (o => 'out', e => 'err');
    $| = 1;
    return if state_now() eq 'n';
    # Of several for one client the last goes on; a stream that was dropped leaves its follower behind. A link has room on a disk
    # that is full, mostly; where it has none, nobody is told apart.
    my $newest = "$folder/follower.$client";
    my $is_told = symlink($$, "$newest.$$") && rename "$newest.$$", $newest;
    my ($began, $told, $checked, $max) = (now(), now(), now(), undef);
    print "k\n";
    for (;;) {
        my $over = -e "$folder/exit";
        $max //= output_max();
        my $news = 0;
        for my $letter (qw(o e)) {
            my $bytes = printed($channels{$letter}, $max);
            next if $bytes <= $seen{$letter};
            $news = 1;
            my $more = $bytes - $seen{$letter};
            if ($more <= $piece) {
                printf "%s %d %s\n", $letter, $seen{$letter}, unpack 'H*', from($channels{$letter}, $seen{$letter}, $more);
            } else {
                printf "%s %d\n", uc $letter, $bytes;
            }
            $seen{$letter} = $bytes;
        }
        my $at = now();
        if ($over) {
            printf "x %s\n", slurp("$folder/exit");
            return;
        }
        $told = $at if $news;
        if ($at - $told >= $alive) {
            print "k\n" or return;
            $told = $at;
        }
        if ($at - $checked >= 1) {
            my $state = state_now();
            return if $state eq 'n' || $at - $began >= $follow || ($is_told && (readlink($newest) // '') ne "$$");
            $checked = $at;
        }
        pause $tick;
    }
}

sub stop {
    mkdir $folder;
    publish("$folder/stop", $rest[0]) unless -e "$folder/exit";
}

# Whether an outbox holds a regular file of that name, and how large it is.
sub outbox {
    my $path = "$folder/outbox/$rest[0]";
    my @stat = lstat $path;
    print @stat && -f _ ? "$stat[7]\n" : "none\n";
}

# Whether a command left nothing to be kept. Something that is no folder may be anything.
sub nothing {
    my $path = "$base/artifacts/$name";
    my $is_there = lstat $path;
    my $left = $is_there;
    if ($is_there && -d _ && opendir my $kept, $path) {
        $left = grep { $_ ne '.' && $_ ne '..' } readdir $kept;
    }
    print $left ? "something\n" : "nothing\n";
}

sub piece { binmode STDOUT; print unpack 'H*', from($rest[0], $rest[1], $rest[2]) }

my %modes = (run => \&run, status => \&status, follow => \&follow, stop => \&stop, outbox => \&outbox, piece => \&piece,
    nothing => \&nothing);
$modes{$mode}->();
