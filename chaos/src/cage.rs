//! Where a row runs: in namespaces of its own for processes, mounts and network.
//!
//! When the row ends, however it ends, the kernel ends every process in there and removes every mount, loop device and
//! interface: nothing is left on the machine, and no signal, port or broadcast of a row reaches anything outside. Only a
//! control group (`memory`) stays when the row is killed, empty.

use std::io::{self, Read as _};
use std::process::{self, Command};
use std::thread;

/// The address that the row's network has besides loopback.
pub const ADDRESS: &str = "10.77.0.1";

/// Gives the network its interfaces, keeps it from calling from the masters' ports (whoever dials one that is away could
/// reach itself, and so take it), runs the row, and reaps meanwhile what it orphans, as the first process must.
const SETUP: &str = r#"
ip link set lo up && ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up &&
ip address add "$0/24" broadcast + dev v0 &&
echo 20000 40000 > /proc/sys/net/ipv4/ip_local_port_range && "$@"
exit $?
"#;

/// A command that runs another inside; it ends with the exit code of that.
pub fn command(inside: &Command) -> Command {
    let mut command = Command::new("unshare");
    command
        .args([
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ])
        .args(["sh", "-c", SETUP, ADDRESS])
        .arg(inside.get_program())
        .args(inside.get_args());
    command
}

/// Ends this process, and with it the cage, when whoever made the cage has gone: then nobody writes to our input.
pub fn end_with_maker() {
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(1);
    });
}
