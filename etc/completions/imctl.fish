# fish completion for imctl(1). What can follow is asked of the running server.

function __imctl_complete
    set -l words (commandline -opc)
    imctl --complete -- $words[2..-1] (commandline -ct) 2>/dev/null
end

complete -c imctl -f -a '(__imctl_complete)'
complete -c imctl -s s -l socket -r -F -d 'The admin socket'
complete -c imctl -s j -l json -d 'Print the answer as JSON'
complete -c imctl -l csv -d 'Print records as CSV'
complete -c imctl -l plain -d 'Print records with tabs between'
complete -c imctl -s h -l help -d 'Print the options and the commands'
complete -c imctl -s V -l version -d 'Print the version'
