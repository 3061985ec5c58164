# imd in a container: docker build -t imd . && docker run -d --name imd -p 3688:3688 -v imd:/var/lib/imd imd
# Everybody needs an account there: docker exec -it imd imctl user add alice
FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make autoconf automake pkgconf \
        libevent-dev libssl-dev libjansson-dev libyaml-dev libsqlite3-dev libsodium-dev libutf8proc-dev uthash-dev \
        zlib1g-dev libcmocka-dev libedit-dev
COPY . /src
RUN cd /src && ./autogen.sh && mkdir /build && cd /build && \
    /src/configure --prefix=/usr --sysconfdir=/etc --without-systemd && make -j"$(nproc)" && \
    make install-strip DESTDIR=/out

FROM debian:12
RUN apt-get update && apt-get install -y --no-install-recommends libevent-core-2.1-7 libevent-extra-2.1-7 \
        libevent-openssl-2.1-7 libevent-pthreads-2.1-7 libssl3 libjansson4 libyaml-0-2 libsqlite3-0 libsodium23 \
        libutf8proc2 zlib1g libedit2 && rm -rf /var/lib/apt/lists/* && \
    useradd --system --user-group --home-dir /var/lib/imd --shell /usr/sbin/nologin imd && \
    install -d -o imd -g imd -m 750 /var/lib/imd && install -d -o imd -g imd /run/imd
COPY --from=build /out/usr/bin/imd /out/usr/bin/imctl /usr/bin/
COPY etc/docker.yaml /etc/imd/imd.yaml
USER imd
VOLUME /var/lib/imd
EXPOSE 3688
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["imctl", "wait", "ready", "-t", "3"]
# Drains on TERM, as docker stop sends it; its deadline is 10 s there too.
ENTRYPOINT ["imd", "-c", "/etc/imd/imd.yaml"]
